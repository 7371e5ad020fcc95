import http.server
import json
import os
import socket
import threading

import pytest

from flows.services.prefect_api import PrefectApi
from flows.services.stale_runs import mark_abandoned_runs, mark_killed_commands, mark_orphans, own_tag
from tasks.runtime.process_name import ProcessName

HERE = socket.gethostname()
RUNS = [
    {"id": "1", "name": "lives", "infrastructure_pid": f"{HERE}:{os.getpid()}"},
    {"id": "2", "name": "gone", "infrastructure_pid": f"{HERE}:999999999"},
    {"id": "3", "name": "elsewhere", "infrastructure_pid": "another-host:999999999"},
    {"id": "4", "name": "never-started", "infrastructure_pid": None},
]


@pytest.fixture
def api():
    posts = []

    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(422)  # CSRF protection is disabled

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posts.append((self.path, body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(RUNS if self.path.endswith("/filter") else {}).encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api", posts
        server.shutdown()
        thread.join()


def test_runs_without_a_process_are_crashed_and_others_left_alone(api):
    url, posts = api
    assert mark_abandoned_runs(PrefectApi(url, None), "ganflow") == ["gone", "never-started"]
    (_, wanted), *changes = posts
    assert wanted["work_pools"] == {"name": {"any_": ["ganflow"]}}
    assert [path for path, _ in changes] == ["/api/flow_runs/2/set_state", "/api/flow_runs/4/set_state"]
    assert {body["state"]["type"] for _, body in changes} == {"CRASHED"}


FLOWS = [
    {"id": "killed", "name": "killed", "state_type": "CRASHED", "parent_task_run_id": None},
    {"id": "its-subflow", "name": "its-subflow", "state_type": "RUNNING", "parent_task_run_id": "a"},
    {"id": "alive", "name": "alive", "state_type": "RUNNING", "parent_task_run_id": None},
    {"id": "another", "name": "another", "state_type": "RUNNING", "parent_task_run_id": "b"},
]
TASKS = [
    {"id": "a", "flow_run_id": "killed"},
    {"id": "b", "flow_run_id": "alive"},
    {"id": "c", "flow_run_id": "its-subflow"},
    {"id": "d", "flow_run_id": "another"},
]


class Recorded:
    """Prefect's API over a few runs: a killed run with a subflow and tasks, and one that lives with the same."""

    def __init__(self):
        self.changed = []

    def post(self, path, body):
        _, kind, what = path.split("/", 2)
        if what != "filter":
            assert body["state"]["type"] == "CRASHED"
            self.changed.append(what.removesuffix("/set_state"))
            return {}
        flows = body.get("flow_runs", {}).get("id", {}).get("any_")
        if kind == "task_runs":
            tasks = body.get("task_runs", {}).get("id", {}).get("any_")
            return [t for t in TASKS if (tasks and t["id"] in tasks) or (flows and t["flow_run_id"] in flows)]
        if flows:
            return [run for run in FLOWS if run["id"] in flows]
        return [run for run in FLOWS if run["parent_task_run_id"]]


def test_what_a_killed_run_had_begun_is_crashed_with_it():
    api = Recorded()
    assert mark_orphans(api) == ["its-subflow"]
    assert sorted(api.changed) == ["a", "c", "its-subflow"]


def test_a_command_that_was_killed_is_crashed_and_what_else_runs_is_left_alone():
    here = ProcessName.here()
    dead = f"process:{here.machine}:999999999:{here.started:.0f}"
    runs = [
        {"id": "1", "name": "killed", "tags": ["mine", dead]},
        {"id": "2", "name": "lives", "tags": [own_tag()]},
        {"id": "3", "name": "elsewhere", "tags": ["process:another:999999999:1"]},
        {"id": "4", "name": "of-a-person", "tags": ["process:", "process:1:2", f"process:{here.machine}:x:1", "x"]},
        {"id": "5", "name": "of-a-deployment", "tags": []},
    ]
    asked, changed = [], {}

    class Api:
        def post(self, path, body):
            if path.endswith("/set_state"):
                changed[path] = body["state"]["type"]
                return {}
            asked.append(body)
            return runs if path == "/flow_runs/filter" else [{"id": "a", "flow_run_id": "1"}]

    assert mark_killed_commands(Api()) == ["killed"]
    assert changed == {"/task_runs/a/set_state": "CRASHED", "/flow_runs/1/set_state": "CRASHED"}
    assert asked[1]["flow_runs"] == {"id": {"any_": ["1"]}}
