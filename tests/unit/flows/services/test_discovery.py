import http.server
import os
import socket
import subprocess
import sys
import threading
import tomllib

import pytest

from flows.services.discovery import (
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
from flows.services.secret import home_secret, secret_file
from tasks.runtime.settings import Settings


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


def record(settings, api_url="http://127.0.0.1:9/api", pid=None, auth="ganflow:of-the-running-one"):
    state = UpState(
        pid=pid or os.getpid(),
        prefect_api_url=api_url,
        prefect_ui_url=api_url.removesuffix("/api"),
        mlflow_url="http://127.0.0.1:9",
        work_pool="ganflow",
        prefect_auth=auth,
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
        environment = prefect_environment(settings)
    assert environment["PREFECT_API_URL"] == api_url
    assert environment["PREFECT_API_AUTH_STRING"] == state.prefect_auth
    assert not any(name.startswith("PREFECT_SERVER_API") for name in environment)  # no server is started here


@pytest.mark.parametrize("end", ["", "/"])
def test_who_exports_the_address_of_the_running_up_gets_in(settings, api_url, monkeypatch, end):
    monkeypatch.setenv("PREFECT_API_URL", api_url + end)
    state = record(settings, api_url)
    with home_lock(settings):
        assert prefect_environment(settings)["PREFECT_API_AUTH_STRING"] == state.prefect_auth


def test_one_that_asks_for_nothing_is_told_nothing(settings, api_url):
    record(settings, api_url, auth=None)
    with home_lock(settings):
        assert "PREFECT_API_AUTH_STRING" not in prefect_environment(settings)
    assert "auth_string" not in prefect_toml(settings).read_text()


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
    assert tomllib.loads("\n".join(rest))["api"]["auth_string"] == "ganflow:of-the-running-one"


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_what_is_left_behind_is_for_its_owner_alone(settings, umask):
    prefect_toml(settings).write_text(f"{PREFECT_TOML_MARK}\n")  # of an older one, which everybody could read
    prefect_toml(settings).chmod(0o644)
    before = os.umask(umask)
    try:
        record(settings)
        with home_lock(settings):
            prefect_environment(settings)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (*settings.state_dir.iterdir(), prefect_toml(settings))}
    assert {name for name, mode in modes.items() if mode & 0o077} == set()
    assert modes.keys() == {"up.json", "up.lock", "prefect", "secret", "prefect.toml"}


def test_what_the_user_exported_wins(settings, api_url, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    monkeypatch.setenv("PREFECT_HOME", "elsewhere")
    record(settings, api_url)
    with home_lock(settings):
        environment = prefect_environment(settings)
    assert {"PREFECT_API_URL", "PREFECT_HOME"}.isdisjoint(environment)


def test_a_server_elsewhere_is_not_told_the_secret(settings, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere/api")
    assert "PREFECT_API_AUTH_STRING" not in prefect_environment(settings)
    record(settings)
    with home_lock(settings):
        # Prefect would read it from prefect.toml, if the command is typed in the home.
        assert prefect_environment(settings)["PREFECT_API_AUTH_STRING"] == ""
    assert not secret_file(settings).exists()


@pytest.mark.parametrize("name", ["PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"])
def test_a_password_that_the_user_exported_opens_the_temporary_server(settings, monkeypatch, name):
    monkeypatch.setenv(name, "me:mine")
    environment = os.environ | prefect_environment(settings)
    assert environment["PREFECT_API_AUTH_STRING"] == environment["PREFECT_SERVER_API_AUTH_STRING"] == "me:mine"
    assert not secret_file(settings).exists()


def test_without_a_server_the_api_is_ephemeral_and_nothing_is_pickled_or_reported(settings):
    environment = prefect_environment(settings)
    assert environment["PREFECT_SERVER_API_AUTH_STRING"] == environment["PREFECT_API_AUTH_STRING"]
    assert environment["PREFECT_API_AUTH_STRING"] == home_secret(settings)
    assert environment["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] == "true"
    assert environment["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] != "*"
    assert "PREFECT_API_URL" not in environment
    assert environment["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "true"
    assert environment["PREFECT_HOME"] == str(settings.state_dir / "prefect")
    assert environment["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["DO_NOT_TRACK"] == "1"


def test_finding_the_server_does_not_import_prefect():
    program = "import sys, flows.services.discovery, flows.services.up; sys.exit('prefect' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_lock_is_held_once(settings):
    with home_lock(settings) as first, home_lock(settings) as second:
        assert first is not None
        assert second is None
    with home_lock(settings) as again:
        assert again is not None


@pytest.mark.parametrize("content", [b"\xff", b"", b"{}", b"[" * 100_000])
def test_a_record_that_makes_no_sense_is_none(tmp_path, content):
    settings = Settings(ganflow_home=tmp_path)
    state_file(settings).parent.mkdir()
    state_file(settings).write_bytes(content)
    assert up_state(settings) is None
