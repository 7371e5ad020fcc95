"""One `ganflow up` for all tests of this folder, in a home that is not the checkout, and a browser if there is one."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from websockets.sync.client import connect

from flows.services.discovery import UpState, state_file
from flows.services.prefect_api import PrefectApi
from tasks.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
from flows.services.up import run_up
from gan.errors import GanflowError
from tasks.runtime.settings import Settings
try:
    run_up(Settings(), prefect_port=int(sys.argv[1]), mlflow_port=int(sys.argv[2]))
except GanflowError as error:
    sys.exit(f"{error.exit_status}: {error}")
"""
FOREIGN = ("PREFECT_", "MLFLOW_", "RAY_", "GANFLOW_")
BROWSERS = ("chromium", "google-chrome", "chromium-browser")


@pytest.fixture(scope="session", name="eventually")
def _eventually() -> Callable[..., Any]:
    return eventually


@pytest.fixture(scope="session", name="free_ports")
def _free_ports() -> Callable[[int], list[int]]:
    return free_ports


def eventually(condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    """Wait until a condition holds; returns what it gave."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return found


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Running:
    """A `ganflow up` of its own process, with what tests ask of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = Settings(ganflow_home=home)
        self.log = home / "up.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(*free_ports(2)), env=self.environment(home), cwd=home, stdout=log, stderr=log
            )
        self.state = eventually(self._ready, timeout=240)
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        assert self.state.prefect_auth
        self.secret = self.state.prefect_auth
        self.api = PrefectApi(self.state.prefect_api_url, self.secret)

    @staticmethod
    def environment(home: Path) -> dict[str, str]:
        """What a shell in this home has, with nothing exported but the home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        path = os.pathsep.join([*filter(None, [kept.get("PYTHONPATH")]), str(ROOT)])
        return {**kept, "GANFLOW_HOME": str(home), "PYTHONPATH": path}

    @staticmethod
    def command(*ports: int) -> list[str]:
        """`ganflow up` on two ports."""
        return [sys.executable, "-c", PROGRAM, *map(str, ports)]

    def _ready(self) -> UpState | None:
        assert self.process.poll() is None, self.log.read_text()
        if not state_file(self.settings).exists():
            return None
        return UpState.model_validate_json(state_file(self.settings).read_text())

    def end(self, number: int) -> tuple[int, list[psutil.Process]]:
        """Send a signal; returns the exit status and what still runs."""
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        _, alive = psutil.wait_procs(self.children, timeout=30)
        for child in alive:
            child.kill()
        return status, [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="session")
def start_up() -> type[Running]:
    """Starts another `ganflow up`; the test ends it."""
    return Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The one that all tests share."""
    up = Running(tmp_path_factory.mktemp("home"))
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.end(signal.SIGTERM)


@pytest.fixture(scope="session")
def ask() -> Callable[..., tuple[int, dict[str, str], bytes]]:
    """Ask an address as any program may; returns status, headers in small letters, and content."""

    def ask(
        url: str, *, method: str = "GET", body: Any = None, user: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if user is not None:
            sent["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            content = None if body is None else json.dumps(body)
            connection.request(method, path or "/", content, {"Content-Type": "application/json", **sent})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    return ask


class Browser:
    """A headless Chromium, told what to do over DevTools. Any name that ends in `.foreign` leads to this machine."""

    def __init__(self, program: str, profile: Path) -> None:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
        options += [f"--user-data-dir={profile}", "--remote-debugging-port=0", "--window-size=1400,900"]
        options += ["--host-resolver-rules=MAP *.foreign 127.0.0.1", "about:blank"]
        with (profile / "log").open("wb") as log:
            self._process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        try:
            port_file = profile / "DevToolsActivePort"
            eventually(lambda: port_file.exists() and port_file.read_text().strip())
            port = port_file.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                page = next(each for each in json.load(answer) if each["type"] == "page")
            self._socket = connect(page["webSocketDebuggerUrl"], max_size=None)
        except BaseException:
            self.close()
            raise
        self._count = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def run(self, script: str) -> Any:
        """Run the body of an async function in the page; returns what it returns."""
        answer = self.call(
            "Runtime.evaluate", expression=f"(async () => {{ {script} }})()", awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, url: str) -> None:
        """Open an address and wait until it is there."""
        self.call("Page.navigate", url=url)
        eventually(lambda: self.run("return document.readyState") == "complete")

    def text(self) -> str:
        """What a person reads on the page."""
        return str(self.run("return document.body ? document.body.innerText : ''"))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=30)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The browser that GANFLOW_CHROMIUM names or the path has."""
    program = os.environ.get("GANFLOW_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no chromium or google-chrome on the path, nor one in GANFLOW_CHROMIUM")
    opened = Browser(program, tmp_path_factory.mktemp("browser"))
    try:
        yield opened
    finally:
        opened.close()
