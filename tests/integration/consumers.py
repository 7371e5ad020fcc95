"""The examples of docs/serving.md as programs of somebody who has no ganflow, no network and no wish to unpickle."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import numpy as np

import gan
from tasks.runtime.settings import Settings

PAGE = Path(gan.__file__).parent.parent / "docs" / "serving.md"
ROWS = [[0, -1], [1, -1], [-5, 0], [2**62, 0]]
"""What every example asks for."""
PORT = 5001
# Python reads this in every process before anything else, servers that a process starts among them.
ALONE = """
import sys
for name in ("flows", "tasks", "gan"):
    sys.modules[name] = None  # importing it is now an ImportError
def refuse_network(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        refused = not isinstance(address, (str, bytes)) and address[0] not in ("127.0.0.1", "::1")
    else:
        refused = event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "::1", "localhost")
    if refused:
        raise OSError(f"no network here: {event} {arguments[:2]}")
sys.addaudithook(refuse_network)
"""
SHOW = "\nimport json\nprint(json.dumps(images if isinstance(images, list) else images.tolist()))\n"


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks of a section of the page, or of what stands before the first one (`# Using a model`)."""
    section = re.split(r"^(?=## )", PAGE.read_text("utf-8").split(heading + "\n", 1)[1], flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def packages(heading: str) -> list[str]:
    """What a section says that it needs."""
    (line,) = [block for block in blocks(heading, "bash") if block.startswith("pip install ")]
    return line.split()[2:]


class Consumer:
    """Somebody with a Python, the address of a registry, and a folder.

    Args:
        folder: an empty one to work in.
        python: the interpreter to run examples with.
        settings: whose registry.
    """

    def __init__(self, folder: Path, python: Path, settings: Settings) -> None:
        self.folder = folder
        (folder / "alone").mkdir()
        (folder / "alone" / "sitecustomize.py").write_text(ALONE, "utf-8")
        (exports,) = blocks("# Using a model", "bash")
        self.exports = exports.replace("/path/to/mlflow.db", str(settings.home / "mlflow.db"))
        assert str(settings.home) in self.exports
        self.environment = {
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHONPATH": str(folder / "alone"),
            "DO_NOT_TRACK": "true",
        }

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run lines of a shell to their end, after what the page exports."""
        return subprocess.run(
            ["/bin/bash", "-ec", self.exports + script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=280,
        )

    def draw(self, program: str) -> np.ndarray:
        """Run an example in Python and return its `images`."""
        (self.folder / "example.py").write_text(program + SHOW, "utf-8")
        done = self.shell("exec python example.py")
        assert done.returncode == 0, done.stderr
        return np.array(json.loads(done.stdout.splitlines()[-1]))

    @contextmanager
    def server(self, script: str, port: int) -> Iterator[None]:
        """Run an example that serves until it is stopped."""
        log = self.folder / "server.log"
        with (
            log.open("w") as output,
            subprocess.Popen(
                ["/bin/bash", "-ec", self.exports + script],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            ) as process,
        ):
            try:
                while not _answers(port):
                    assert process.poll() is None, log.read_text()
                yield
            finally:
                os.killpg(process.pid, 9)


def _answers(port: int) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
