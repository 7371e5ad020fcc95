"""A real PostgreSQL of this machine, in a folder, on loopback."""

import os
import shutil
import subprocess
from pathlib import Path

from drilling.head import free_ports
from drilling.images import search_path

DATABASE = "mlflow"


class Postgres:
    """A server with an empty database, as long as it runs.

    Args:
        folder: one that other users may enter; its data lie there.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "postgres"
        self._data.mkdir()
        (self.port,) = free_ports(1)
        self.address = f"postgresql://ganflow@127.0.0.1:{self.port}/{DATABASE}"
        # It refuses to run as root.
        self._user = "nobody" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self._data, self._user)
        self._run("initdb", "--pgdata", str(self._data), "--username=ganflow", "--auth=trust")
        self.start()
        self._run("createdb", "--host=127.0.0.1", f"--port={self.port}", "--username=ganflow", DATABASE)

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._data}"
        self._run(
            "pg_ctl", "--pgdata", str(self._data), "--log", str(self._data / "log"), "--wait", "start", "-o", options
        )

    def stop(self) -> None:
        """Stop it without a word to those who are connected, as a machine that fails does."""
        self._run("pg_ctl", "--pgdata", str(self._data), "--mode=immediate", "--wait", "stop")

    def _run(self, *command: str) -> None:
        subprocess.run(
            command,
            env=os.environ | {"PATH": search_path()},
            user=self._user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def is_installed() -> bool:
    """Whether this machine has PostgreSQL's programs."""
    return all(shutil.which(program, path=search_path()) for program in ("initdb", "pg_ctl", "createdb"))
