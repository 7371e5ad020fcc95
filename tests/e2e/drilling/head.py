"""A Ray cluster of this machine alone that is not a training's own, as `ray start --head` makes it."""

import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from drilling.commands import clean_environment

RAY = str(Path(sys.executable).with_name("ray"))


def free_ports(number: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


class Head:
    """Started, killed and started again on the same port, with the same token.

    Args:
        folder: for its log.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "head.log"
        self.temporary = tempfile.TemporaryDirectory(prefix="gf")  # a socket's path is short
        self.port, self.client_port, self.agent_port = free_ports(3)
        self.settings = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it lets a driver in."""
        ports = [f"--port={self.port}", f"--ray-client-server-port={self.client_port}"]
        ports += [f"--dashboard-agent-listen-port={self.agent_port}"]
        place = ["--node-ip-address=127.0.0.1", f"--temp-dir={self.temporary.name}", "--include-dashboard=false"]
        environment = clean_environment(**self.settings)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [RAY, "start", "--head", "--num-cpus=2", "--block", *ports, *place],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        asks = [RAY, "status", f"--address={self.address}"]
        while subprocess.run(asks, env=environment, capture_output=True, check=False).returncode:
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.5)

    def kill(self, *words: str) -> int:
        """SIGKILL for its processes in whose command line one of the words stands, or for all; how many there were."""
        assert self.process is not None
        all_of_it = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        killed = [each for each in all_of_it if not words or any(word in " ".join(each.cmdline()) for word in words)]
        for each in killed:
            each.kill()
        if not words:
            self.process.wait()
        return len(killed)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.temporary.cleanup()
