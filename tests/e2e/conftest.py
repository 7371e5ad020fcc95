"""One home in which the whole pipeline has run once, shared by the tests that look at what it left."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Ganflow = Callable[..., subprocess.CompletedProcess[str]]


def _ganflow_in(home: Path) -> Ganflow:
    """The command `ganflow` with a home of its own and none of the caller's settings."""
    drop = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(drop)}

    def run(*arguments: str, timeout: float = 280, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("ganflow")), *arguments],
            cwd=home if home.is_dir() else "/",
            env={**clean, "GANFLOW_HOME": str(home), **extra},
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


@pytest.fixture(scope="session")
def ganflow_in() -> Callable[[Path], Ganflow]:
    return _ganflow_in


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    path = tmp_path_factory.mktemp("home")
    ganflow = _ganflow_in(path)
    done = ganflow("run", "--preset", "debug", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, "standard output must hold the JSON object alone"
    return Home(path, json.loads(done.stdout), ganflow)
