"""A real browser: a person gets in with the secret; a page of another origin gets nowhere, whatever it tries."""

import http.server
import json
import threading
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.integration

# What a hostile page does; `API`, `MLFLOW` and `ID` are put in. Each try reports what it could read, or the error.
ATTACK = """
const tried = {};
const attempt = async (name, work) => {
  try { tried[name] = await work() } catch (error) { tried[name] = "refused: " + error.name }
};
const seen = (answer) => answer.type === "opaque" ? "opaque" : answer.status;
const json = {"Content-Type": "application/json"};
const run = JSON.stringify({job_variables: {command: "touch RAN"}});
const start = "API/deployments/ID/create_flow_run";
const filter = {method: "POST", headers: json, body: "{}"};
await attempt("list", async () => (await fetch("API/deployments/filter", filter)).status);
await attempt("version", async () => (await fetch("API/version")).status);
await attempt("run", async () => (await fetch(start, {method: "POST", headers: json, body: run})).status);
await attempt("simple run", async () => seen(await fetch(start, {method: "POST", mode: "no-cors", body: run})));
await attempt("token", async () => (await fetch("API/csrf-token?client=x")).status);
await attempt("events", () => new Promise((done) => {
  const opened = new WebSocket("API/events/out".replace("http", "ws"), ["prefect"]);
  opened.onopen = () => opened.send(JSON.stringify({type: "auth", token: ""}));
  opened.onmessage = (message) => done(message.data);
  opened.onclose = () => done("refused: closed");
}));
const search = "/ajax-api/2.0/mlflow/experiments/search?max_results=9";
await attempt("experiments", async () => (await fetch("MLFLOW" + search, {credentials: "include"})).status);
await attempt("new experiment", async () => (await fetch("MLFLOW/api/2.0/mlflow/experiments/create", {
  method: "POST", credentials: "include", headers: json, body: JSON.stringify({name: "theirs"})})).status);
await attempt("simple experiment", async () => seen(await fetch("MLFLOW/api/2.0/mlflow/experiments/create", {
  method: "POST", credentials: "include", mode: "no-cors", body: JSON.stringify({name: "theirs"})})));
return tried;
"""
FORM = """
for (const [address, name, value] of [[START, '{"job_variables": {"command": "touch RAN"}, "x": "', '"}'],
    ["MLFLOW/api/2.0/mlflow/experiments/create", '{"name": "theirs", "x": "', '"}']]) {
  const frame = document.createElement("iframe"), form = document.createElement("form");
  const field = document.createElement("input");
  frame.name = "f" + Math.random(); form.target = frame.name; form.action = address;
  form.method = "POST"; form.enctype = "text/plain"; field.name = name; field.value = value;
  form.append(field); document.body.append(frame, form);
  const loaded = new Promise((done) => { frame.onload = done });
  form.submit(); await loaded;
}
return "sent";
"""
FIND_FIELD = "const field = document.querySelector('input[type=password]'); field?.focus(); return !!field"
DENIED = {401, 403, 404, 405}


@pytest.fixture
def foreign_page():
    """A page of another origin on this machine, as another user of it could serve."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>win a prize</title><body>")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def filled(script, running, api=None, mlflow=None):
    found = running.api.post("/deployments/filter", {})
    deployment = next(item["id"] for item in found if item["entrypoint"] == "flows.ingest.ingest")
    script = script.replace("START", json.dumps("API/deployments/ID/create_flow_run"))
    script = script.replace("MLFLOW", mlflow or running.state.mlflow_url).replace("ID", deployment)
    return script.replace("API", api or running.state.prefect_api_url)


def nothing_happened(running, ask):
    started = [run for run in running.api.post("/flow_runs/filter", {}) if not run["auto_scheduled"]]
    url = f"{running.state.mlflow_url}/ajax-api/2.0/mlflow/experiments/search?max_results=99"
    names = [each["name"] for each in json.loads(ask(url, user=running.secret)[2]).get("experiments", [])]
    return "theirs" not in names and not [run for run in started if run["job_variables"]]


def is_denied(answer):
    return answer in DENIED or str(answer).startswith("refused")


def sign_in_to_mlflow(running, browser):
    # As the browser does itself after it has asked for name and password.
    browser.open(running.state.mlflow_url.replace("://", f"://{running.secret}@"))


def test_prefects_page_opens_with_the_secret(running, browser, eventually):
    browser.open(running.state.prefect_ui_url)
    eventually(
        lambda: browser.run(
            "const field = document.querySelector('input[type=password]'); field?.focus(); return !!field"
        )
    )
    assert "Login" in browser.text()
    browser.call("Input.insertText", text=running.secret)
    enter = {"key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, **enter)
    eventually(lambda: "Dashboard" in browser.text())
    browser.open(f"{running.state.prefect_ui_url}/work-pools")
    eventually(lambda: "ganflow" in browser.text())
    browser.open(f"{running.state.prefect_ui_url}/deployments")
    eventually(lambda: "on-new-data" in browser.text() and "weekly" in browser.text())


def test_mlflows_page_opens_with_the_secret(running, browser, eventually):
    sign_in_to_mlflow(running, browser)
    browser.open(f"{running.state.mlflow_url}/#/experiments")
    eventually(lambda: "Default" in browser.text())


def test_a_foreign_page_gets_nowhere_though_the_browser_knows_the_password(running, browser, ask, foreign_page):
    sign_in_to_mlflow(running, browser)
    browser.open(foreign_page)
    tried = browser.run(filled(ATTACK, running))
    assert tried.pop("simple run") == tried.pop("simple experiment") == "opaque"  # sent; it cannot see the refusal
    assert [name for name, answer in tried.items() if not is_denied(answer)] == []
    assert len(tried) == 7
    assert browser.run(filled(FORM, running)) == "sent"
    assert nothing_happened(running, ask)


@pytest.mark.parametrize("name", ["evil.foreign", "10.evil.foreign"])
def test_a_name_that_was_pointed_at_this_machine_gets_nowhere(running, browser, ask, name):
    # The last act of DNS rebinding: the page's own name leads here, so page and server are one origin for the browser.
    prefect, mlflow = (
        f"http://{name}:{urlsplit(url).port}" for url in (running.state.prefect_ui_url, running.state.mlflow_url)
    )
    for page in (prefect, mlflow):
        browser.open(f"{page}/health")
        tried = browser.run(filled(ATTACK, running, api=f"{prefect}/api", mlflow=mlflow))
        opaque = {key for key, answer in tried.items() if answer == "opaque"}
        assert opaque <= {"simple run", "simple experiment"}
        assert [key for key, answer in tried.items() if key not in opaque and not is_denied(answer)] == []
    assert nothing_happened(running, ask)
