"""The compose file and its image: what listens where, who asks for what, and that versions are the tested ones."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import gan

ROOT = Path(gan.__file__).parent.parent
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text("utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
CONSTRAINTS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if "==" in line
)
NODES = {"head", "worker", "driver"}


def variables(text):
    return set(re.findall(r"\$\{(\w+)", text))


def test_these_services_are_there_and_two_workers():
    assert set(SERVICES) == NODES | {"prefect", "mlflow", "postgres", "s3"}
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


def test_only_two_pages_are_published_and_on_loopback_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"prefect": ["127.0.0.1:4200:4200"], "mlflow": ["127.0.0.1:5000:5000"]}
    assert not any("network_mode" in service or service.get("privileged") for service in SERVICES.values())


def test_what_is_not_published_is_on_a_network_without_a_way_out():
    assert COMPOSE["networks"]["inside"]["internal"] is True
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"prefect", "mlflow"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_each_is_looked_after(name):
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    for needed, how in service.get("depends_on", {}).items():
        assert needed in SERVICES
        assert how == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name):
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert tag not in {"", "latest"}
    if image == "ganflow":
        assert tag == VERSION
        assert SERVICES[name]["build"]["dockerfile"] == "deploy/Dockerfile"


def test_secrets_are_asked_for_and_stand_nowhere():
    example = (DEPLOY / "env.example").read_text("utf-8")
    names = set(re.findall(r"^(\w+)=$", example, re.M))
    assert names == variables(TEXT)
    assert re.findall(r"^\w+=.+$", example, re.M) == []
    assert len(re.findall(r"\$\{\w+:\?", TEXT)) == len(re.findall(r"\$\{", TEXT))  # an empty one stops compose


def test_no_secret_is_on_a_command_line():
    for service in SERVICES.values():
        assert not variables(str(service.get("command", "")))
        assert not variables(str(service["healthcheck"]["test"]))


@pytest.mark.parametrize("name", sorted(NODES))
def test_nodes_of_ray_want_the_token_and_show_no_dashboard(name):
    service = SERVICES[name]
    assert service["environment"]["RAY_AUTH_MODE"] == "token"
    assert variables(service["environment"]["RAY_AUTH_TOKEN"]) == {"RAY_AUTH_TOKEN"}
    assert service["environment"]["GANFLOW_STORAGE"].startswith("s3://")
    assert name != "head" or "--include-dashboard=false" in service["command"]


@pytest.mark.parametrize("name", sorted(NODES))
def test_objects_of_ray_fit_into_shared_memory(name):
    objects = int(re.search(r"--object-store-memory=(\d+)", SERVICES[name]["command"])[1])
    assert objects < int(SERVICES[name]["shm_size"].removesuffix("gb")) * 2**30


def test_a_driver_is_healthy_when_its_own_node_runs_and_not_the_head():
    assert SERVICES["driver"]["healthcheck"] == SERVICES["worker"]["healthcheck"]
    assert "raylet" in str(SERVICES["driver"]["healthcheck"]["test"])


def test_workers_of_mlflow_have_longer_to_begin_than_the_five_seconds_of_uvicorn():
    assert int(re.search(r"--uvicorn-opts=--timeout-worker-healthcheck=(\d+)", SERVICES["mlflow"]["command"])[1]) >= 60


def test_servers_want_what_the_driver_says():
    driver = SERVICES["driver"]["environment"]
    assert SERVICES["prefect"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"] == driver["PREFECT_API_AUTH_STRING"]
    mlflow = SERVICES["mlflow"]["environment"]
    assert mlflow["MLFLOW_AUTH_ADMIN_USERNAME"] == driver["MLFLOW_TRACKING_USERNAME"]
    assert mlflow["MLFLOW_AUTH_ADMIN_PASSWORD"] == driver["MLFLOW_TRACKING_PASSWORD"]
    assert "--app-name basic-auth" in SERVICES["mlflow"]["command"]
    assert "default_permission = NO_PERMISSIONS" in COMPOSE["configs"]["mlflow-auth"]["content"]


def test_postgresql_is_asked_where_the_server_that_makes_the_databases_does_not_listen():
    assert "--host=127.0.0.1" in SERVICES["postgres"]["healthcheck"]["test"]


def test_each_database_is_made():
    made = set(re.findall(r"CREATE DATABASE (\w+);", (DEPLOY / "databases.sql").read_text("utf-8")))
    assert made == set(re.findall(r"@postgres:5432/(\w+)", TEXT))


def test_volumes_are_declared():
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume[0] not in "./"
    }
    assert used == set(COMPOSE["volumes"])


def test_the_image_has_the_versions_that_are_tested():
    assert re.search(r"ARG TORCH_VERSION=(\S+)", DOCKERFILE)[1] == CONSTRAINTS["torch"]
    assert "-c constraints.txt" in DOCKERFILE


def test_the_image_is_made_from_what_is_let_in_and_runs_as_nobody_special():
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert let_in[1] == "*"
    names = {line[1:] for line in let_in if line.startswith("!")}
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.M) for name in line.split()}
    assert copied == names
    assert all((ROOT / name).exists() for name in names)
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["1000:1000"]
