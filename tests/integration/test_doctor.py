"""`ganflow doctor` on a real Ray of two nodes, which lie on this machine and listen on loopback alone."""

import shutil
from urllib.request import Request, urlopen

import pytest

from tasks.doctor.cluster import cluster_checks
from tasks.doctor.machine import storage_check
from tasks.doctor.probe import Probe
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
OF_A_NODE = {"versions", "processor", "GPUs", "memory", "disk", "clock", "storage"}


@pytest.mark.slow
def test_each_node_is_looked_at_and_sums_with_the_others(cluster, tmp_path):
    cluster.add_node(num_cpus=1)
    settings = Settings(
        ganflow_home=tmp_path,
        ganflow_storage=str(tmp_path / "runs"),
        ray_address=cluster.address,
        mlflow_tracking_uri=None,
    )
    driver = Probe().facts(str(settings.cache_dir))
    found = cluster_checks(settings, driver)
    assert [check for check in found if check.ok is False and check.name not in {"disk", "memory"}] == []
    nodes = {check.node for check in found} - {"cluster"}
    assert len(nodes) == 2
    for node in nodes:
        assert {check.name for check in found if check.node == node} == OF_A_NODE
    said = {check.name: check for check in found if check.node == "cluster"}
    assert set(said) == {"nodes", "token", "all_reduce"}
    assert said["nodes"].value.startswith("2 with 2 CPUs")
    assert said["token"].value == "asked for"
    assert "67 MB over 2 nodes" in said["all_reduce"].value
    assert not any((tmp_path / "runs").iterdir())

    unlike = cluster_checks(settings, {**driver, "torch": "1.0", "code": "0"})
    assert [check.remedy for check in unlike if check.ok is False and check.name == "versions"] == [
        "install torch 1.0 there, as the driver has"
    ] * 2

    shutil.rmtree(tmp_path / "runs")
    (tmp_path / "runs").write_text("a file, where every node wants a folder")
    blocked = {check.node: check.ok for check in cluster_checks(settings, driver) if check.name == "storage"}
    assert blocked == dict.fromkeys(nodes)


def test_an_object_store_is_read_written_and_cleared_and_its_query_is_not_shown(tmp_path, monkeypatch):
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def check(bucket):
        storage = f"s3://{bucket}/runs?endpoint_override={host}:{port}&scheme=http"
        return storage_check(Settings(ganflow_home=tmp_path, ganflow_storage=storage))

    server.start()
    try:
        host, port = server.get_host_and_port()
        with urlopen(Request(f"http://{host}:{port}/bucket", method="PUT"), timeout=60):
            pass
        assert check("bucket").value == "s3://bucket/runs is read and written"
        with urlopen(f"http://{host}:{port}/bucket?list-type=2", timeout=60) as listing:
            assert b"doctor-" not in listing.read()
        missing = check("missing")
        assert missing.ok is False
        assert str(port) not in missing.value
    finally:
        server.stop()
