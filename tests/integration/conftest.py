"""What several integration tests stand on."""

from urllib.request import Request, urlopen

import pytest
import ray
from ray._raylet import Config
from ray.cluster_utils import Cluster

from tasks.runtime.ray_here import locked_up
from tasks.tracking import logged_model

S3 = {"AWS_ACCESS_KEY_ID": "hunter1", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def bucket(monkeypatch):
    """An S3 server with a bucket; yields it and the address of a storage there."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for method, path in (("POST", "moto-api/reset"), ("PUT", "bucket")):  # it keeps what tests before have put
            with urlopen(Request(f"http://{host}:{port}/{path}", method=method), timeout=60):
                pass
        for name, value in S3.items():
            monkeypatch.setenv(name, value)
        yield server, f"s3://bucket/runs?endpoint_override={host}:{port}&scheme=http"
    finally:
        server.stop()


@pytest.fixture
def cluster(monkeypatch):
    """A Ray cluster of this machine with a head of one CPU, to which a test adds nodes."""
    # the token and loopback of a Ray that ganflow starts itself
    with locked_up(), monkeypatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        Config.initialize("")  # Ray read the mode when it was imported
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()
    Config.initialize("")


@pytest.fixture(scope="module")
def without_onnx():
    """Registrations without the ONNX file, which costs seconds each, where it is of no matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logged_model, "save_onnx", lambda *_: "")
        yield
