"""The services of deploy/compose.yaml, started as processes of this machine, and a pipeline that a user runs on them.

What runs is each service's own command in its own environment, once the healthchecks of those that it needs are green.
Two images are stood in for: PostgreSQL's by the server itself after what its entry point does, SeaweedFS's by moto's
server, which asks for no key.
"""

import json
from itertools import chain

import pytest
from drilling.compose import compose

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3600)]
WORDS = ("run", "--preset", "debug", "--workers", "2", "--set", "train.total_kimg=1", "--json")
PREFECT, MLFLOW = "http://prefect:4200/api/admin/version", "http://mlflow:5000/api/2.0/mlflow"
ASK = """
import base64, sys, urllib.error, urllib.request
headers = {"Authorization": "Basic " + base64.b64encode(each.encode()).decode() for each in sys.argv[2:]}
try:
    answer = urllib.request.urlopen(urllib.request.Request(sys.argv[1], headers=headers), timeout=120)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""
FLOW_RUNS = """
import json
from prefect.client.orchestration import get_client
with get_client(sync_client=True) as client:
    names = {flow.id: flow.name for flow in client.read_flows()}
    print(json.dumps([(names[run.flow_id], run.state_name) for run in client.read_flow_runs()]))
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    with compose(tmp_path_factory.mktemp("compose")) as services:
        yield services


@pytest.fixture(scope="module")
def result(services):
    """What the pipeline answered."""
    done = services["driver"].run("ganflow", *WORDS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def run_id(services, result):
    """The training that the registered version comes from."""
    version = f"{MLFLOW}/model-versions/get?name=gan-generator&version={result['model']['version']}"
    status, text = ask(services, version, of_mlflow(services))
    assert status == 200, text
    return json.loads(text)["model_version"]["run_id"]


def of_mlflow(services):
    """The credential that the driver has."""
    settings = services["driver"].environment
    return f"{settings['MLFLOW_TRACKING_USERNAME']}:{settings['MLFLOW_TRACKING_PASSWORD']}"


def ask(services, address, *credentials):
    """Status and text of an answer that the driver gets."""
    done = services["driver"].run("python", "-c", ASK, address, *credentials)
    status, _, text = done.stdout.partition(" ")
    assert status.isdecimal(), done.stderr
    return int(status), text


def test_the_doctor_finds_nothing_wrong(services):
    done = services["driver"].run("ganflow", "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)["checks"]
    assert [each for each in checks if not each["ok"]] == []
    nodes = {each.address for each in chain(*(services.services[name] for name in ("head", "worker", "driver")))}
    for name in ("versions", "storage", "clock"):
        assert {each["node"] for each in checks if each["name"] == name} - {"here"} == nodes
    said = {(each["name"], each["node"]): each["value"] for each in checks}
    assert said["token", "cluster"] == "asked for"
    assert said["nodes", "cluster"].startswith("4 with ")
    assert "over 4 nodes" in said["all_reduce", "cluster"]
    assert said["MLflow", "here"] == "http://mlflow:5000 answers"
    assert said["Prefect", "here"] == "http://prefect:4200/api answers"


def test_no_node_puts_its_objects_on_a_disk(services):
    for each in chain(*(services.services[name] for name in ("head", "worker", "driver"))):
        assert "instead of /dev/shm" not in each.said()


def test_prefect_has_the_run_completed_and_asks_for_its_password(services, result):
    done = services["driver"].run("python", "-c", FLOW_RUNS)
    assert done.returncode == 0, done.stderr
    states = [tuple(each) for each in json.loads(done.stdout)]
    assert ("run", "Completed") in states
    assert {state for _, state in states} == {"Completed"}
    assert ask(services, PREFECT)[0] == 401
    assert ask(services, PREFECT, "ganflow:wrong")[0] == 401
    assert ask(services, PREFECT, services["driver"].environment["PREFECT_API_AUTH_STRING"])[0] == 200


def test_mlflow_has_the_model_and_its_run_and_asks_for_its_password(services, run_id):
    run = f"{MLFLOW}/runs/get?run_id={run_id}"
    for address in (run, f"{MLFLOW}/registered-models/get?name=gan-generator"):
        assert ask(services, address)[0] == 401
        assert ask(services, address, "ganflow:wrong")[0] == 401
    status, text = ask(services, run, of_mlflow(services))
    assert (status, json.loads(text)["run"]["info"]["status"]) == (200, "FINISHED")


def test_the_store_holds_artifacts_and_checkpoints(services, run_id):
    artifact, checkpoint = f"/{run_id}/artifacts/checkpoint/tensors.pt", "/tensors.pt"
    for folder, inside in (("mlflow/", artifact), (f"runs/{run_id}/checkpoint_", checkpoint)):
        status, listing = ask(services, f"http://s3:8333/ganflow?list-type=2&prefix={folder}")
        assert status == 200
        assert inside in listing


@pytest.mark.parametrize(("database", "table"), [("prefect", "flow_run"), ("mlflow", "runs"), ("mlflow_auth", "users")])
def test_what_servers_know_is_in_postgresql(services, result, database, table):
    count = f"SELECT count(*) FROM {table}"
    done = services["postgres"].run("psql", "--username=ganflow", f"--dbname={database}", "-At", f"--command={count}")
    assert int(done.stdout) > 0, done.stderr
