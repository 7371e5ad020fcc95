"""What is said to Prefect's API: the password, and the proof against foreign pages where the server wants one."""

import http.server
import json
import threading

import pytest

from flows.services.prefect_api import PrefectApi


@pytest.fixture
def server():
    asked = []

    class Api(http.server.BaseHTTPRequestHandler):
        csrf = True
        busy = 0  # so many answers are 503

        def do_GET(self):
            asked.append(("GET", self.path, dict(self.headers)))
            self.send_response(200 if self.csrf else 422)
            self.end_headers()
            self.wfile.write(json.dumps({"token": "proof"} if self.csrf else {"detail": "disabled"}).encode())

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(("POST", self.path, dict(self.headers)))
            type(self).busy -= 1
            self.send_response(503 if self.busy >= 0 else 403 if "refuse" in body else 201)
            self.end_headers()
            self.wfile.write(json.dumps({"got": body}).encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/api", asked, Api
        listening.shutdown()
        thread.join()


def test_password_and_proof_go_along(server):
    url, asked, _ = server
    api = PrefectApi(url, "ganflow:word")
    assert api.post("/runs/filter", {"limit": 1}) == {"got": {"limit": 1}}
    assert api.post("/runs/filter", {}) == {"got": {}}
    assert [method for method, *_ in asked] == ["GET", "POST", "POST"]  # one proof for all
    client = asked[0][1].removeprefix("/api/csrf-token?client=")
    for method, _, headers in asked:
        assert headers["Authorization"] == "Basic Z2FuZmxvdzp3b3Jk"
        if method == "POST":
            assert (headers["Prefect-Csrf-Client"], headers["Prefect-Csrf-Token"]) == (client, "proof")


def test_a_server_that_asks_for_neither_is_sent_neither(server):
    url, asked, handler = server
    handler.csrf = False
    PrefectApi(url, None).post("/runs/filter", {})
    assert not {"Authorization", "Prefect-Csrf-Token"} & set(asked[-1][2])


def test_a_refusal_is_an_error_without_the_password(server):
    url, *_ = server
    with pytest.raises(OSError, match=r"/runs of Prefect's API answered 403") as caught:
        PrefectApi(url, "ganflow:word").post("/runs", {"refuse": True})
    assert "word" not in str(caught.value)


def test_a_server_that_is_busy_for_a_moment_is_asked_again(server, monkeypatch):
    url, asked, handler = server
    handler.busy, pauses = 2, []
    monkeypatch.setattr("time.sleep", pauses.append)
    assert PrefectApi(url, None).post("/runs", {"x": 1}) == {"got": {"x": 1}}
    assert [method for method, *_ in asked] == ["GET", "POST", "POST", "POST"]
    handler.busy = 100
    with pytest.raises(OSError, match="answered 503"):
        PrefectApi(url, None).post("/runs", {"x": 1})
    assert pauses == sorted(pauses[:2]) + sorted(pauses[2:])
    assert 5 < sum(pauses[2:]) < 10, "seconds"


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[" * 100_000, b"[]", b"{}", b'{"token": 1}'])
def test_what_is_no_prefect_server_is_an_error(monkeypatch, answer):
    monkeypatch.setattr(PrefectApi, "_ask", lambda *_: (200, answer))
    with pytest.raises(OSError, match="what answers is no Prefect server"):
        PrefectApi("http://127.0.0.1:1/api", None).post("/runs", {})
