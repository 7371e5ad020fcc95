"""One home in which the whole pipeline has run once, shared by the tests that look at what it left."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).with_name("ganflow"))
Ganflow = Callable[..., subprocess.CompletedProcess[str]]


def _clean_environment(home: Path, **settings: str) -> dict[str, str]:
    """A home of its own, and none of the caller's settings."""
    drop = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    return {**clean, "GANFLOW_HOME": str(home), **settings}


def _ganflow_in(home: Path, **settings: str) -> Ganflow:
    """The command `ganflow` in a clean environment."""

    def run(*arguments: str, timeout: float = 280, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=home if home.is_dir() else "/",
            env={**_clean_environment(home, **settings), **extra},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@dataclass(frozen=True)
class Home:
    """A home after `ganflow run --preset debug --json`."""

    path: Path
    result: dict[str, Any]
    ganflow: Ganflow
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the command without waiting for it."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen([COMMAND, *arguments], cwd=self.path, env=self.environment, stdout=quiet, stderr=quiet)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A Prefect server for all commands but the first, which starts one of its own as it would for a user."""
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())


@pytest.fixture(scope="session")
def ganflow_in(server: str) -> Callable[[Path], Ganflow]:
    return lambda home: _ganflow_in(home, PREFECT_API_URL=server)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, server: str) -> Home:
    path = tmp_path_factory.mktemp("home")
    done = _ganflow_in(path)("run", "--preset", "debug", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, "standard output must hold the JSON object alone"
    api = {"PREFECT_API_URL": server}
    return Home(path, json.loads(done.stdout), _ganflow_in(path, **api), _clean_environment(path, **api))
