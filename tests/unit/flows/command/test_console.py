"""Standard output carries the answer alone; errors are one sentence and an exit status."""

import base64
import http.server
import os
import subprocess
import sys
import threading

import pytest

from flows.command.console import errors_as_sentences, prepare, read_settings
from gan import errors
from gan.errors import BudgetSpentError, GanflowError, InputError, ServiceError

# What a library, a C library and a child process print, around an answer.
PROGRAM = """
import os, subprocess
from pydantic import BaseModel
from flows.command.console import Answer

class Result(BaseModel):
    name: str
    count: int

answer = Answer()
print("noise of a library", flush=True)
os.write(1, b"noise below Python\\n")
subprocess.run(["echo", "noise of a child"])
answer.give(Result(name="\u00e9", count=3), ["a summary"], AS_JSON)
answer.give(Result(name="a\\x9b2J\\u202eb", count=3), ["a\\x1b[2J\\nb\\u202e"], AS_JSON)
print("noise at the end", flush=True)
"""


@pytest.mark.parametrize(
    "kind", [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GanflowError)]
)
def test_every_error_is_a_sentence_with_its_status(kind, capsys):
    with pytest.raises(SystemExit) as caught, errors_as_sentences():
        raise kind("the [bold]folder[/] is missing: make it")
    assert caught.value.code == (
        75 if issubclass(kind, ServiceError | BudgetSpentError) else 2 if issubclass(kind, InputError) else 1
    )
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "ganflow: the [bold]folder[/] is missing: make it\n"


def test_a_long_sentence_stays_on_its_line(capsys):
    with pytest.raises(SystemExit), errors_as_sentences():
        raise InputError("word " * 100)
    assert capsys.readouterr().err.count("\n") == 1


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), errors_as_sentences():
        1 / 0  # noqa: B018
    with errors_as_sentences():
        pass


@pytest.mark.parametrize(
    ("as_json", "answer"),
    [
        (True, '{"name": "é", "count": 3}\n{"name": "a\\u009b2J\\u202eb", "count": 3}\n'),
        (False, "a summary\na\\x1b[2J\\nb\\u202e\n"),
    ],
)
def test_an_answer_alone_goes_to_standard_output(as_json, answer):
    command = [sys.executable, "-c", PROGRAM.replace("AS_JSON", str(as_json))]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True, encoding="utf-8")
    assert done.stdout == answer
    assert done.stderr == "noise of a library\nnoise below Python\nnoise of a child\nnoise at the end\n"


def test_preparing_makes_home_and_names_the_variable_that_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "home"))
    assert prepare().home == tmp_path / "home"
    assert (tmp_path / "home" / ".ganflow").is_dir()
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "file" / "home"))
    assert read_settings().home == tmp_path / "file" / "home"
    with pytest.raises(InputError, match="cannot be written"):
        prepare()


@pytest.fixture
def locked_server():
    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            open_to = f"Basic {base64.b64encode(b'me:mine').decode()}"
            let_in = self.path == "/api/health" or self.headers["Authorization"] == open_to
            self.send_response(200 if let_in else 401)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/"
        server.shutdown()
        thread.join()


def test_a_server_that_asks_for_another_password_is_a_sentence(monkeypatch, tmp_path, locked_server):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", locked_server)
    for exported in (None, "me:wrong"):
        if exported:
            monkeypatch.setenv("PREFECT_API_AUTH_STRING", exported)
        with pytest.raises(InputError, match="asks for a password: export it as PREFECT_API_AUTH_STRING"):
            prepare()
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "me:mine")
    assert prepare().home == tmp_path
