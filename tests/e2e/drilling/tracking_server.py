"""A real MLflow server on loopback, as teams share one; it can be killed, and started again where it was."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil

from drilling.head import free_ports


class TrackingServer:
    """A server that runs.

    Args:
        folder: for its log, and for its database and artifacts where no others are named.
        store: address of its database; SQLite in the folder without it.
        artifacts: where artifacts lie; the folder without it.
        environment: more of it, such as what gives access to the artifacts.
    """

    def __init__(
        self,
        folder: Path,
        store: str | None = None,
        artifacts: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        (self.port,) = free_ports(1)
        self.address = f"http://127.0.0.1:{self.port}"
        self._log = folder / "mlflow.log"
        self._environment = os.environ | (environment or {})
        self._environment |= {
            "MLFLOW_BACKEND_STORE_URI": store or f"sqlite:///{folder / 'shared.db'}",
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": artifacts or str(folder / "artifacts"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # killed, they leave files in /dev/shm
        }
        self.start()

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--no-serve-artifacts", "--workers", "1"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)], env=self._environment, stdout=log, stderr=log
            )
        while self._process.poll() is None:
            with contextlib.suppress(OSError), urlopen(f"{self.address}/health", timeout=5):
                return
            time.sleep(0.2)
        raise AssertionError(f"MLflow's server ended with {self._process.returncode}: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL for all its processes."""
        for process in [*psutil.Process(self._process.pid).children(recursive=True), self._process]:
            process.kill()
        self._process.wait()


@contextlib.contextmanager
def tracking_server(folder: Path) -> Iterator[str]:
    """Run a server on SQLite within the block; yields its address."""
    server = TrackingServer(folder)
    try:
        yield server.address
    finally:
        server.kill()
