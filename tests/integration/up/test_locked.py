"""Who reaches a running `ganflow up` without its secret gets nothing; who has it cannot choose what a run executes."""

import json
import os
from urllib.parse import urlsplit

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from gan.errors import InputError
from tasks.tracking.client import client

pytestmark = pytest.mark.integration

ORIGIN = "https://evil.example"
PREFLIGHT = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
READING = ["/version", "/admin/settings", "/admin/version", "/work_pools/ganflow", "/csrf-token?client=x"]


def allows(headers):
    return {name for name in headers if name.startswith("access-control-allow-origin")}


@pytest.mark.parametrize("user", [None, "", "ganflow:", "ganflow:wrong-but-long-enough", "admin:password1234"])
@pytest.mark.parametrize("origin", [None, ORIGIN])
def test_prefect_tells_nothing_without_the_secret(running, ask, user, origin):
    api, headers = running.state.prefect_api_url, {"Origin": origin} if origin else {}
    assert ask(f"{api}/health", user=user, **headers)[0] == 200
    for path in READING:
        status, answered, content = ask(f"{api}{path}", user=user, **headers)
        assert (status, allows(answered)) == (401, set()), path
        assert running.secret.encode() not in content
    for path in ("/deployments/filter", "/flow_runs/", "/work_pools/", "/flow_runs/filter"):
        assert ask(f"{api}{path}", method="POST", body={}, user=user, **headers)[0] in {401, 403}, path


def test_prefect_lets_no_foreign_page_read_or_change_anything_even_with_the_secret(running, ask):
    api = running.state.prefect_api_url
    _, answered, _ = ask(f"{api}/deployments/filter", method="OPTIONS", Origin=ORIGIN, **PREFLIGHT)
    assert not allows(answered)
    _, answered, _ = ask(f"{api}/version", user=running.secret, Origin=ORIGIN)
    assert not allows(answered)
    status, _, content = ask(f"{api}/deployments/filter", method="POST", body={}, user=running.secret, Origin=ORIGIN)
    assert (status, json.loads(content)) == (403, {"detail": "Missing CSRF token."})
    _, answered, _ = ask(f"{api}/version", user=running.secret, Origin=running.state.prefect_ui_url)
    assert answered["access-control-allow-origin"] == running.state.prefect_ui_url


def test_a_name_that_is_pointed_at_this_machine_reads_nothing(running, ask):
    for url in (f"{running.state.prefect_api_url}/version", running.state.mlflow_url):
        port = urlsplit(url).port
        for host in (f"evil.example:{port}", f"10.evil.example:{port}", f"192.168.evil.example:{port}"):
            assert ask(url, Host=host, Origin=f"http://{host}")[0] in {401, 403}


def socket_url(running, path):
    return running.state.prefect_api_url.replace("http", "ws", 1) + path


def let_in(url, token, protocol=("prefect",)):
    with connect(url, subprotocols=protocol) as opened:
        opened.send(json.dumps({"type": "auth", "token": token}))
        while True:
            if (message := json.loads(opened.recv(timeout=20))).get("type") == "auth_success":
                return message


@pytest.mark.parametrize(
    "path",
    [
        "/events/in",
        "/events/out",
        "/logs/out",
        "/work_pools/ganflow/workers/connect",
        "/task_runs/subscriptions/scheduled",
    ],
)
@pytest.mark.parametrize("token", [None, "ganflow:wrong-but-long-enough"])
@pytest.mark.parametrize("protocol", [None, ["prefect"]])
def test_no_websocket_opens_without_the_secret(running, path, token, protocol):
    with pytest.raises((ConnectionClosed, InvalidStatus)):
        let_in(socket_url(running, path), token, protocol)


def test_a_websocket_opens_with_the_secret(running):
    assert let_in(socket_url(running, "/events/out"), running.secret)


MLFLOW_PATHS = [
    "/",
    "/api/2.0/mlflow/experiments/search?max_results=1",
    "/ajax-api/2.0/mlflow/experiments/search?max_results=1",
    "/api/2.0/mlflow/registered-models/search",
    "/get-artifact?path=model&run_uuid=0123456789abcdef0123456789abcdef",
    "/model-versions/get-artifact?path=x&name=gan-generator&version=1",
    "/api/2.0/mlflow-artifacts/artifacts/x",
    "/api/2.0/mlflow/users/list",
    "/graphql",
    "/signup",
    "/gateway/x/invocations",
    "/ajax-api/3.0/jobs/x",
    "/ajax-api/3.0/mlflow/assistant/config",
    "/docs",
    "/openapi.json",
]


@pytest.mark.parametrize("user", [None, "ganflow:wrong-but-long-enough", "admin:password1234"])
@pytest.mark.parametrize("path", MLFLOW_PATHS)
def test_mlflow_tells_nothing_without_the_secret(running, ask, path, user):
    for method in ("GET", "POST"):
        status, *_ = ask(
            running.state.mlflow_url + path, method=method, body={} if method == "POST" else None, user=user
        )
        assert status in {401, 403, 404, 405}, method


def test_mlflow_opens_with_the_secret_and_other_users_wait_to_be_allowed(running, ask):
    url = running.state.mlflow_url
    for path in MLFLOW_PATHS[:4]:
        assert ask(url + path, user=running.secret)[0] == 200, path
    guest = {"username": "guest", "password": "a-guest-of-the-house"}
    assert ask(f"{url}/api/2.0/mlflow/users/create", method="POST", body=guest, user=running.secret)[0] == 200
    _, _, content = ask(
        f"{url}/api/2.0/mlflow/experiments/create", method="POST", body={"name": "a"}, user=running.secret
    )
    path = f"{url}/api/2.0/mlflow/experiments/get?experiment_id={json.loads(content)['experiment_id']}"
    assert ask(path, user=running.secret)[0] == 200
    assert ask(path, user="guest:a-guest-of-the-house")[0] == 403
    assert ask(path, user=running.secret, Origin="http://127.0.0.1:9999")[0] == 403


def test_a_command_that_is_not_let_in_says_so(running, monkeypatch):
    settings = running.settings.model_copy(update={"mlflow_tracking_uri": running.state.mlflow_url})
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(InputError, match="export MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        client(settings)
    name, _, password = running.secret.partition(":")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
    assert client(settings).search_experiments()


def test_the_secret_is_in_files_of_its_owner_and_on_no_command_line(running):
    private = [path for path in running.settings.state_dir.iterdir() if not path.is_dir()]
    private += [
        running.settings.state_dir / "logs",
        running.settings.state_dir / "prefect",
        running.home / "prefect.toml",
    ]
    assert {path.name for path in private if path.stat().st_mode & 0o077} == set()
    assert {"secret", "up.json", "mlflow-auth.db", "mlflow-auth.ini"} <= {path.name for path in private}
    word = running.secret.partition(":")[2]
    processes = [psutil.Process(running.process.pid), *running.children]
    lines = [" ".join(each.cmdline()) for each in processes if each.is_running()]
    assert len(lines) > 3
    assert not [line for line in lines if word in line]
    assert not [line for line in lines if running.settings.tracking_uri in line]  # which may hold a password, too
    logs = [*running.settings.state_dir.joinpath("logs").iterdir(), running.log]
    assert not [log.name for log in logs if word in log.read_text(errors="replace")]


def deployment(running, entrypoint):
    found = running.api.post("/deployments/filter", {})
    return next(item for item in found if item["entrypoint"] == entrypoint)


@pytest.mark.parametrize(
    "variables",
    [
        {"command": "touch {mark}"},
        {"env": {"PYTHONSTARTUP": "{mark}"}},
        {"env.PATH": "{mark}"},
        {"working_dir": "{mark}"},
        {"name": "x"},
    ],
)
def test_no_run_may_name_what_is_executed(running, variables):
    mark = running.home / "RAN"
    filled = json.loads(json.dumps(variables).replace("{mark}", str(mark)))
    for entrypoint in ("flows.ingest.ingest", "flows.retrain.retrain"):
        path = f"/deployments/{deployment(running, entrypoint)['id']}/create_flow_run"
        with pytest.raises(OSError, match=r"answered 422: .*Additional properties are not allowed"):
            running.api.post(path, {"job_variables": filled})
    assert not mark.exists()


def test_a_run_of_a_deployment_reads_what_lies_below_the_home_alone(running, eventually, tmp_path):
    (running.home / "innocent").symlink_to(tmp_path)
    path = f"/deployments/{deployment(running, 'flows.ingest.ingest')['id']}/create_flow_run"
    run = running.api.post(path, {"parameters": {"source": str(running.home / "innocent")}})["id"]

    def ended():
        state = running.api.post("/flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]["state"]
        return state["type"] in {"FAILED", "CRASHED", "COMPLETED"} and state

    assert "a run that Prefect starts may not read" in eventually(ended, timeout=120)["message"]


def test_a_credential_as_a_parameter_is_refused_before_it_is_written_down(running):
    path = f"/deployments/{deployment(running, 'flows.ingest.ingest')['id']}/create_flow_run"
    with pytest.raises(OSError, match="does not match"):
        running.api.post(path, {"parameters": {"source": "https://alice:hunter2@host/a.zip"}})
    kept = [path for path in running.home.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert kept == []
