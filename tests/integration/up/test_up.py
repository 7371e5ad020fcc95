"""`ganflow up` with real servers, deployments and worker, in a home that is not the checkout."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import yaml

from flows.services.discovery import answers, prefect_toml, state_file, up_state
from flows.services.secret import secret_file
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
# As Prefect's own template for processes, which an earlier version used.
OPEN_TEMPLATE = {
    "job_configuration": {"command": "{{ command }}"},
    "variables": {"type": "object", "properties": {"command": {"type": "string"}}},
}


def test_both_servers_answer_and_are_found(running, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    assert up_state(running.settings) == running.state
    assert answers(f"{running.state.prefect_api_url}/health")
    assert answers(f"{running.state.mlflow_url}/health")


def test_the_deployments_of_prefect_yaml_are_registered(running):
    wanted = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    found = running.api.post("/deployments/filter", {})
    assert sorted((item["entrypoint"], item["name"]) for item in found) == sorted(
        (item["entrypoint"], item["name"]) for item in wanted
    )
    for item in found:
        # A worker runs them in the home, wherever the package is.
        assert item["pull_steps"] == [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(running.home)}}
        ]


def test_cron_schedules_become_runs(running, eventually):
    # Prefect's scheduler fails without a word here where SQLAlchemy is too new for it.
    deployments = running.api.post("/deployments/filter", {})
    wanted = {item["id"] for item in deployments if item["schedules"]}

    def all_scheduled():
        runs = running.api.post("/flow_runs/filter", {})
        return {run["deployment_id"] for run in runs if run["auto_scheduled"]} == wanted

    assert len(wanted) == 2
    eventually(all_scheduled)


def test_prefect_typed_in_the_home_reaches_it_with_nothing_exported(running):
    bare = {name: value for name, value in running.environment(running.home).items() if name != "GANFLOW_HOME"}
    listed = subprocess.run(
        [sys.executable, "-m", "prefect", "work-pool", "ls"],
        env=bare,
        cwd=running.home,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ganflow" in listed.stdout


def test_a_second_one_in_the_same_home_is_refused(running, free_ports):
    second = subprocess.run(
        running.command(*free_ports(2)),
        env=running.environment(running.home),
        cwd=running.home,
        capture_output=True,
        text=True,
    )
    assert second.stderr.startswith("2: ")
    assert running.state.prefect_ui_url in second.stderr
    assert up_state(running.settings) is not None


def test_a_taken_port_is_refused_by_name(running, free_ports, tmp_path):
    taken = urlsplit(running.state.mlflow_url).port
    other = subprocess.run(
        running.command(*free_ports(1), taken),
        env=running.environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert other.stderr.startswith(f"2: port {taken} ")
    assert "--mlflow-port" in other.stderr
    assert not prefect_toml(Settings(ganflow_home=tmp_path)).exists()


def test_a_server_that_is_killed_is_started_again_and_the_rest_runs_on(running, eventually):
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


def test_the_run_of_a_command_that_is_killed_does_not_stay_running(running, eventually):
    def runs(state):
        flows = {"flows": {"name": {"any_": ["ingest"]}}, "flow_runs": {"state": {"type": {"any_": [state]}}}}
        return running.api.post("/flow_runs/filter", flows)

    words = [sys.executable, "-m", "flows", "ingest", "digits", "--preset", "debug"]
    with subprocess.Popen(words, env=running.environment(running.home), cwd=running.home) as command:
        (run,) = eventually(lambda: runs("RUNNING"))
        command.kill()
    assert [each["id"] for each in eventually(lambda: runs("CRASHED"))] == [run["id"]]
    assert runs("RUNNING") == []


def test_ctrl_c_stops_everything_and_leaves_no_trace(running):
    assert running.end(signal.SIGINT) == (0, [])
    assert not state_file(running.settings).exists()
    assert not prefect_toml(running.settings).exists()


@pytest.mark.slow
def test_after_kill_9_everything_stops_and_the_next_one_starts_also_with_another_secret(start_up, ask, tmp_path):
    killed = start_up(tmp_path)
    (tmp_path / "open.json").write_text(json.dumps(OPEN_TEMPLATE))
    update = ["prefect", "work-pool", "update", "ganflow", "--base-job-template", str(tmp_path / "open.json")]
    subprocess.run([sys.executable, "-m", *update], env=killed.environment(tmp_path), cwd=tmp_path, check=True)
    status, alive = killed.end(signal.SIGKILL)
    assert (status, alive) == (-signal.SIGKILL, [])
    assert not prefect_toml(killed.settings).exists()
    secret_file(killed.settings).unlink()
    following = start_up(tmp_path)
    assert following.state.pid != killed.state.pid
    assert following.secret != killed.secret
    for url in (f"{following.state.prefect_api_url}/version", following.state.mlflow_url):
        assert ask(url, user=killed.secret)[0] == 401
        assert ask(url, user=following.secret)[0] == 200
    pool = ask(f"{following.state.prefect_api_url}/work_pools/ganflow", user=following.secret)[2]
    assert json.loads(pool)["base_job_template"] == json.loads(
        (ROOT / "flows" / "services" / "work_pool.json").read_text()
    )
    assert following.end(signal.SIGTERM) == (0, [])
