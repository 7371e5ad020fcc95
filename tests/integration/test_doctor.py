"""`ganflow doctor` on a real Ray of two nodes, which lie on this machine and listen on loopback alone."""

import shutil

import pytest
import ray
from ray._raylet import Config
from ray.cluster_utils import Cluster

from tasks.doctor.cluster import cluster_checks
from tasks.doctor.probe import Probe
from tasks.runtime import ray_cluster
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
OF_A_NODE = {"versions", "processor", "GPUs", "memory", "disk", "clock", "storage"}


@pytest.fixture
def cluster(monkeypatch):
    # the token and loopback of a Ray that ganflow starts itself
    with ray_cluster._locked_up(), monkeypatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        Config.initialize("")  # Ray read the mode when it was imported
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes.add_node(num_cpus=1)
        try:
            yield nodes
        finally:
            ray.shutdown()
            nodes.shutdown()
    Config.initialize("")


def test_each_node_is_looked_at_and_sums_with_the_others(cluster, tmp_path):
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
