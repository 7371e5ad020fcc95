"""What several integration tests stand on."""

from urllib.request import Request, urlopen

import pytest

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
