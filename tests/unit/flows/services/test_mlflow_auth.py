"""The rule at MLflow's door, and what is prepared for MLflow's own basic-auth app, which asks for it."""

import sqlite3
from base64 import b64encode

import pytest
from flask import Flask, Response

from flows.services.mlflow_auth import authenticate
from flows.services.mlflow_server import login_environment, mlflow_command
from tasks.runtime.settings import Settings

OWN = "http://127.0.0.1:5000"
SECRET = "ganflow:the-secret-in-force"


@pytest.fixture
def settings(tmp_path):
    home = tmp_path / "50%home"  # a sign that means something in the app's configuration file
    (home / ".ganflow").mkdir(parents=True)
    return Settings(ganflow_home=home)


@pytest.fixture
def ask(settings, monkeypatch):
    for name, value in login_environment(settings, SECRET).items():
        monkeypatch.setenv(name, value)

    def ask(user=SECRET, method="GET", **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if user is not None:
            sent["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        with Flask("mlflow").test_request_context("/api/x", method=method, headers=sent, base_url=OWN):
            answer = authenticate()
        return answer.status_code if isinstance(answer, Response) else answer.username

    return ask


def test_the_secret_opens_it(ask):
    assert ask() == "ganflow"


@pytest.mark.parametrize("word", ["", "the-secret-of-before", "the-secret-in-forc", "the-secret-in-force ", "ü", ":"])
def test_no_other_password_of_that_name_does(ask, word):
    # Whatever the app's database holds for it: it is not asked.
    assert ask(f"ganflow:{word}") == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://localhost:5000"},
        {"Origin": "https://127.0.0.1:5000.evil.example"},
        {"Origin": "http://127.0.0.1:5000@evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:9999", "Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_page_cannot_use_the_password_that_the_browser_knows(ask, headers, method):
    assert ask(method=method, **headers) == 403


def test_its_own_page_and_a_link_to_it_can(ask):
    assert ask(Origin=OWN, Sec_Fetch_Site="same-origin", method="POST") == "ganflow"
    link = {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(**link) == "ganflow"
    assert ask(**link, method="POST") == 403  # a form


def test_what_the_app_reads_is_for_its_owner_alone_and_holds_no_secret(settings):
    environment = login_environment(settings, SECRET)
    for name in ("mlflow-auth.db", "mlflow-auth.ini"):
        assert (settings.state_dir / name).stat().st_mode & 0o077 == 0, name
    assert "the-secret" not in (settings.state_dir / "mlflow-auth.ini").read_text()
    assert environment["MLFLOW_BASIC_AUTH_FAIL_CLOSED"] == "true"
    assert environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == "the-secret-in-force"


def test_a_finished_database_is_kept_and_a_half_made_one_is_not(settings):
    database = settings.state_dir / "mlflow-auth.db"
    for content in (None, b"", b"no database", b"SQLite format 3\0" + b"x" * 200):
        if content is not None:
            database.write_bytes(content)
        login_environment(settings, SECRET)
        assert database.read_bytes() == b""
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE users (username TEXT)")
    login_environment(settings, SECRET)
    assert database.read_bytes() == b""
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE users (username TEXT)")
        connection.execute("INSERT INTO users VALUES ('ganflow')")
    login_environment(settings, "ganflow:another-secret")
    assert database.stat().st_size > 0


def test_the_command_line_holds_no_secret_and_no_patterns(settings):
    command = mlflow_command(settings, "0.0.0.0", 5000, with_login=True)
    assert command[-2:] == ["--app-name", "basic-auth"]
    assert "--app-name" not in mlflow_command(settings, "127.0.0.1", 5000, with_login=False)
    assert not any("*" in word or "secret" in word for word in command)


@pytest.mark.parametrize("origin", ["http://[", "http://127.0.0.1:5000]", "null", "", "://", "127.0.0.1:5000"])
def test_an_origin_that_is_none_is_another_page(ask, origin):
    assert ask(Origin=origin) == 403


@pytest.mark.parametrize("header", ["Basic ü2FuZmxvdzp4", "Basic \xff", "Basic Z2Fu\xa0"])
def test_a_password_in_no_ascii_is_wrong(ask, header):
    assert ask(user=None, Authorization=header) == 401
