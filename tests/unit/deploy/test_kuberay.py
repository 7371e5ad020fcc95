"""Manifests for Kubernetes: its own kinds and pods by the schemas of its API, KubeRay's by what must stand there.

KubeRay's own schemas are in no package.
"""

import shlex
from pathlib import Path

import pytest
import yaml
from ray.scripts.scripts import drain_node

import gan

ROOT = Path(gan.__file__).parent.parent
FOLDER = ROOT / "deploy" / "kuberay"
KINDS = {"Secret", "PersistentVolumeClaim"}
API = "1.37"


def documents(name):
    return list(yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text("utf-8")))


def cluster_of(name):
    (document,) = documents(name)
    return document["spec"] if document["kind"] == "RayCluster" else document["spec"]["rayClusterSpec"]


def pods(name):
    spec = cluster_of(name)
    return [spec["headGroupSpec"]["template"], *(group["template"] for group in spec["workerGroupSpecs"])]


@pytest.fixture(scope="module")
def api():
    return pytest.importorskip("kubernetes_validate", reason="the extra dev brings kubernetes-validate")


@pytest.mark.parametrize("name", ["secret", "home"])
def test_kinds_of_kubernetes_are_as_its_api_wants_them(name, api):
    for document in documents(name):
        assert document["kind"] in KINDS
        api.validate(document, API, strict=True)


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_pods_are_as_the_api_wants_them(name, api):
    for template in pods(name):
        api.validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **template}, API, strict=True)


def test_a_misspelt_field_would_be_found(api):
    template = pods("raycluster")[0]
    (container,) = template["spec"]["containers"]
    broken = {**template["spec"], "containers": [{**container, "volumeMount": []}]}
    with pytest.raises(api.ValidationError):
        api.validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": broken}, API, strict=True)


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_clusters_ask_for_the_token_of_the_secret(name):
    spec = cluster_of(name)
    assert spec["authOptions"] == {"mode": "token", "secretName": "ganflow-ray-token"}
    secrets = {each["metadata"]["name"]: each["stringData"] for each in documents("secret")}
    assert "auth_token" in secrets["ganflow-ray-token"]  # the key that KubeRay reads
    assert not any(value for secret in secrets.values() for value in secret.values())
    for template in pods(name):
        (container,) = template["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "ganflow-storage"}}]
        assert "ganflow-storage" in secrets


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_versions_are_those_that_are_tested(name):
    constraints = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert f"ray=={cluster_of(name)['rayVersion']}" in constraints


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_workers_have_a_gpu_each_and_shared_memory_and_the_head_has_no_work(name):
    spec = cluster_of(name)
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (group,) = spec["workerGroupSpecs"]
    assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    (container,) = group["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
    assert set(mounts) == set(volumes)
    assert mounts["shm"] == "/dev/shm"
    assert volumes["shm"]["emptyDir"]["medium"] == "Memory"


def test_the_home_is_the_claim_and_both_clusters_are_one():
    (claim,) = documents("home")
    for name in ("raycluster", "rayjob"):
        (volume,) = pods(name)[0]["spec"]["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert cluster_of("raycluster") == cluster_of("rayjob")


def test_a_job_goes_on_where_it_was():
    (job,) = documents("rayjob")
    assert "--resume auto" in job["spec"]["entrypoint"]
    assert job["spec"]["shutdownAfterJobFinishes"] is True


@pytest.mark.parametrize("name", ["raycluster", "rayjob"])
def test_a_worker_that_goes_gives_ray_notice_and_time_for_it(name):
    for group in cluster_of(name)["workerGroupSpecs"]:
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        (_, _, program) = container["lifecycle"]["preStop"]["exec"]["command"]
        drain, wait = program.split(" && ")
        words = shlex.split(drain)[1:]
        with drain_node.make_context("drain-node", words[1:]) as context:
            assert words[0] == "drain-node"
            assert context.params["reason"] == "DRAIN_NODE_REASON_PREEMPTION"
            noticed = context.params["deadline_remaining_seconds"]
        assert wait == f"sleep {noticed}"
        assert spec["terminationGracePeriodSeconds"] > noticed
