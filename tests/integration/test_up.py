"""`ganflow up` with real servers, deployments and worker, in a home that is not the checkout."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import yaml

from flows.server import UpState, answers, prefect_toml, state_file, up_state
from tasks.settings import Settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from flows.up import run_up
from gan.errors import GanflowError
from tasks.settings import Settings
try:
    run_up(Settings(), prefect_port=int(sys.argv[1]), mlflow_port=int(sys.argv[2]))
except GanflowError as error:
    sys.exit(f"{error.exit_status}: {error}")
"""


def environment(home):
    foreign = ("PREFECT_", "MLFLOW_", "RAY_", "GANFLOW_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    path = os.pathsep.join([*filter(None, [kept.get("PYTHONPATH")]), str(ROOT)])
    return {**kept, "GANFLOW_HOME": str(home), "PYTHONPATH": path}


def command(*ports):
    return [sys.executable, "-c", PROGRAM, *map(str, ports)]


def free_ports(count):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def post(url, body):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def eventually(condition, timeout=60.0):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return found


class Running:
    def __init__(self, home):
        self.home = home
        self.settings = Settings(ganflow_home=home)
        self.log = home / "up.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command(*free_ports(2)), env=environment(home), cwd=home, stdout=log, stderr=log
            )
        self.state = eventually(self._ready, timeout=240)
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def _ready(self):
        assert self.process.poll() is None, self.log.read_text()
        if not state_file(self.settings).exists():
            return None
        return UpState.model_validate_json(state_file(self.settings).read_text())

    def end(self, number):
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        _, alive = psutil.wait_procs(self.children, timeout=30)
        for child in alive:
            child.kill()
        return status, [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    up = Running(tmp_path_factory.mktemp("home"))
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.end(signal.SIGTERM)


def test_both_servers_answer_and_are_found(running, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    assert up_state(running.settings) == running.state
    assert answers(f"{running.state.prefect_api_url}/health")
    assert answers(f"{running.state.mlflow_url}/health")


def test_the_deployments_of_prefect_yaml_are_registered(running):
    wanted = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    found = post(f"{running.state.prefect_api_url}/deployments/filter", {})
    assert sorted((item["entrypoint"], item["name"]) for item in found) == sorted(
        (item["entrypoint"], item["name"]) for item in wanted
    )
    for item in found:
        # A worker runs them in the home, wherever the package is.
        assert item["pull_steps"] == [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(running.home)}}
        ]


def test_cron_schedules_become_runs(running):
    # Prefect's scheduler fails without a word here where SQLAlchemy is too new for it.
    deployments = post(f"{running.state.prefect_api_url}/deployments/filter", {})
    wanted = {item["id"] for item in deployments if item["schedules"]}

    def all_scheduled():
        runs = post(f"{running.state.prefect_api_url}/flow_runs/filter", {})
        return {run["deployment_id"] for run in runs if run["auto_scheduled"]} == wanted

    assert len(wanted) == 2
    eventually(all_scheduled)


def test_prefect_typed_in_the_home_reaches_it_with_nothing_exported(running):
    bare = {name: value for name, value in environment(running.home).items() if name != "GANFLOW_HOME"}
    listed = subprocess.run(
        [sys.executable, "-m", "prefect", "work-pool", "ls"],
        env=bare,
        cwd=running.home,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ganflow" in listed.stdout


def test_a_second_one_in_the_same_home_is_refused(running):
    second = subprocess.run(
        command(*free_ports(2)), env=environment(running.home), cwd=running.home, capture_output=True, text=True
    )
    assert second.stderr.startswith("2: ")
    assert running.state.prefect_ui_url in second.stderr
    assert up_state(running.settings) is not None


def test_a_taken_port_is_refused_by_name(running, tmp_path):
    taken = urlsplit(running.state.mlflow_url).port
    other = subprocess.run(
        command(*free_ports(1), taken), env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True
    )
    assert other.stderr.startswith(f"2: port {taken} ")
    assert "--mlflow-port" in other.stderr
    assert not prefect_toml(Settings(ganflow_home=tmp_path)).exists()


def test_a_server_that_is_killed_is_started_again_and_the_rest_runs_on(running):
    def servers():
        found = []
        for child in psutil.Process(running.process.pid).children():
            with contextlib.suppress(psutil.Error):  # one that has just ended
                found += [child] if {"mlflow", "server"} <= set(child.cmdline()) else []
        return found

    (killed,) = servers()
    others = {child.pid for child in psutil.Process(running.process.pid).children()} - {killed.pid}
    killed.kill()
    eventually(lambda: [child for child in servers() if child.pid != killed.pid])
    eventually(lambda: answers(f"{running.state.mlflow_url}/health"), timeout=120)
    running.children = psutil.Process(running.process.pid).children(recursive=True)
    assert others <= {child.pid for child in running.children}
    assert "MLflow server ended by signal 9: it is started again in 1 s" in running.log.read_text()


def test_ctrl_c_stops_everything_and_leaves_no_trace(running):
    assert running.end(signal.SIGINT) == (0, [])
    assert not state_file(running.settings).exists()
    assert not prefect_toml(running.settings).exists()


@pytest.mark.slow
def test_after_kill_9_everything_stops_and_the_next_one_starts(tmp_path):
    killed = Running(tmp_path)
    status, alive = killed.end(signal.SIGKILL)
    assert (status, alive) == (-signal.SIGKILL, [])
    following = Running(tmp_path)
    assert following.state.pid != killed.state.pid
    assert following.end(signal.SIGTERM) == (0, [])
