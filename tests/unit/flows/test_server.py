import http.server
import os
import socket
import subprocess
import sys
import threading

import pytest

from flows.addresses import mlflow_access, require_free_port
from flows.server import (
    PREFECT_TOML_MARK,
    UpState,
    home_lock,
    leave_traces,
    prefect_environment,
    prefect_toml,
    remove_traces,
    state_file,
    up_state,
)
from gan.errors import InputError
from tasks.settings import Settings


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def no_exports(monkeypatch):
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / ".ganflow").mkdir()
    return Settings(ganflow_home=tmp_path)


@pytest.fixture
def api_url():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


@pytest.fixture
def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def record(settings, api_url="http://127.0.0.1:9/api", pid=None):
    state = UpState(
        pid=pid or os.getpid(),
        prefect_api_url=api_url,
        prefect_ui_url=api_url.removesuffix("/api"),
        mlflow_url="http://127.0.0.1:9",
        work_pool="ganflow",
    )
    leave_traces(settings, state)
    return state


def test_nothing_runs_in_a_home_that_does_not_exist(tmp_path):
    assert up_state(Settings(ganflow_home=tmp_path / "none")) is None
    assert not (tmp_path / "none").exists()


def test_a_running_up_is_found(settings, api_url):
    state = record(settings, api_url)
    with home_lock(settings):
        assert up_state(settings) == state
        assert prefect_environment(settings)["PREFECT_API_URL"] == api_url


def test_a_stale_record_is_removed_with_our_prefect_toml(settings, api_url):
    # Its pid lives, as a reused one may, and something answers there; only nobody holds the lock.
    record(settings, api_url)
    assert up_state(settings) is None
    assert not state_file(settings).exists()
    assert not prefect_toml(settings).exists()


def test_a_killed_up_whose_children_are_being_stopped_is_not_used(settings, api_url, dead_pid):
    record(settings, api_url, pid=dead_pid)
    with home_lock(settings):
        assert up_state(settings) is None
    assert state_file(settings).exists()


def test_a_server_that_does_not_answer_is_not_used(settings):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        record(settings, f"http://127.0.0.1:{unused.getsockname()[1]}/api")
        with home_lock(settings):
            assert up_state(settings) is None
            assert "PREFECT_API_URL" not in prefect_environment(settings)


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}', "[]"])
def test_a_broken_record_counts_as_none(settings, content):
    state_file(settings).write_text(content)
    assert up_state(settings) is None


def test_a_users_own_prefect_toml_is_never_touched(settings):
    prefect_toml(settings).write_text("# mine\n")
    record(settings)
    remove_traces(settings)
    assert prefect_toml(settings).read_text() == "# mine\n"


def test_our_prefect_toml_is_marked_and_names_the_server(settings, api_url):
    record(settings, api_url)
    first, *rest = prefect_toml(settings).read_text().splitlines()
    assert first == PREFECT_TOML_MARK
    assert f'url = "{api_url}"' in rest


def test_what_the_user_exported_wins(settings, api_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    monkeypatch.setenv("PREFECT_HOME", "elsewhere")
    record(settings, api_url)
    with home_lock(settings):
        environment = prefect_environment(settings)
    assert {"PREFECT_API_URL", "PREFECT_HOME"}.isdisjoint(environment)


def test_without_a_server_the_api_is_ephemeral_and_nothing_is_pickled_or_reported(settings):
    environment = prefect_environment(settings)
    assert "PREFECT_API_URL" not in environment
    assert environment["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "true"
    assert environment["PREFECT_HOME"] == str(settings.state_dir / "prefect")
    assert environment["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"


def test_finding_the_server_does_not_import_prefect():
    program = "import sys, flows.server, flows.up; sys.exit('prefect' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_lock_is_held_once(settings):
    with home_lock(settings) as first, home_lock(settings) as second:
        assert first is not None
        assert second is None
    with home_lock(settings) as again:
        assert again is not None


def test_a_taken_port_is_named_with_its_option():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port} .*--mlflow-port"):
            require_free_port("127.0.0.1", port, "--mlflow-port")
    require_free_port("127.0.0.1", port, "--mlflow-port")


def test_mlflow_answers_others_only_when_it_is_bound_for_them():
    assert mlflow_access("127.0.0.1", 5000) == []
    hosts, origins = mlflow_access("gpu-7", 5000)[1::2]
    assert "gpu-7:5000" in hosts.split(",")
    assert origins == "http://gpu-7:5000"
    assert "*" not in mlflow_access("0.0.0.0", 5000)[1].split(",")
