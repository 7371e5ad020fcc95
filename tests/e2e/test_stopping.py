"""Commands that are stopped in each of their phases: how they end, what they say, and what they leave running.

`pytest -m slow -s tests/e2e/test_stopping.py` prints how long each took to end.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from drilling.commands import belongs
from mlflow import MlflowClient
from PIL import Image

from tasks.runtime.guardian import MARK
from tasks.runtime.scratch import remove_abandoned
from tasks.runtime.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
DEBUG = ("--preset", "debug", "--set", "evaluation.precision=fp32")
SHORT = (*DEBUG, "--set", "train.total_kimg=0.1")
LONG = (*DEBUG, "--set", "train.total_kimg=100", "--set", "train.checkpoint_kimg=0.5")
SCORED = (*SHORT, "--set", "evaluation.watch_images=1000")
MEASURED = ("--set", "evaluation.num_images=1400", "--set", "evaluation.copy_images=64")
GONE_SECONDS = 120.0  # far more than any process needs, on a machine as busy as may be


class Stopped:
    """A command in a session of its own, as in a terminal, with a mark by which what it leaves is found."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.mark = f"test-{os.urandom(4).hex()}"
        drop = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
        self.errors = home / f"{self.mark}.log"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flows", *arguments],
                cwd=home,
                env={**clean, "GANFLOW_HOME": str(home), MARK: self.mark},
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )

    def left(self) -> list[str]:
        """What runs in its session or carries its mark."""
        return [
            " ".join(process.info["cmdline"] or [process.info["name"]])[:100]
            for process in psutil.process_iter(["environ", "cmdline", "name", "status"])
            if process.info["status"] != psutil.STATUS_ZOMBIE and self._owns(process)
        ]

    def _owns(self, process: psutil.Process) -> bool:
        return belongs(process, self.mark, self.process.pid)

    def wait_for(self, phase: Callable[[], object]) -> None:
        """Wait until a phase shows."""
        while not phase():
            assert self.process.poll() is None, self.errors.read_text()
            time.sleep(0.02)

    def stop(self, number: int) -> str:
        """Send the signal, to all as Ctrl-C does or to the command alone; return what it says of it."""
        said = self.errors.stat().st_size
        begins = time.monotonic()
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=GONE_SECONDS)
        ended = time.monotonic() - begins
        while (left := self.left()) and time.monotonic() < begins + GONE_SECONDS:
            time.sleep(0.05)
        gone = time.monotonic() - begins
        print(f"ended after {ended:.1f} s with {self.process.returncode}, nothing left after {gone:.1f} s")  # noqa: T201
        assert left == []
        assert out == b""
        return self.errors.read_bytes()[said:].decode()


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[Stopped]:
    command = Stopped(home, *arguments)
    try:
        yield command
    finally:
        with_it = [process for process in psutil.process_iter(["environ"]) if command._owns(process)]
        for process in with_it:
            process.kill()
        command.process.wait()


def new(home: Path, pattern: str) -> Callable[[], bool]:
    """Whether the home has files or folders of this pattern that were not there before."""
    before = set(home.glob(pattern))
    return lambda: bool(set(home.glob(pattern)) - before)


def unended(home: Path) -> list[str]:
    """Names of the MLflow runs that nobody has ended."""
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    runs = [run for each in client.search_experiments() for run in client.search_runs(each.experiment_id)]
    return [run.info.run_name for run in runs if run.info.status == "RUNNING"]


@pytest.mark.slow
def test_ctrl_c_in_a_training_says_how_it_goes_on(home):
    with running(home.path, "train", *LONG) as command:
        command.wait_for(new(home.path, ".ganflow/runs/*/checkpoint_*/sha256.json"))
        said = command.stop(signal.SIGINT)
    assert command.process.returncode == 130
    again = f"ganflow train {' '.join(LONG)} --workers 1 --resume auto"
    assert said == f"ganflow: interrupted: `{again}` goes on from the last checkpoint\n"
    assert unended(home.path) == []
    planned = home.ganflow(*again.split()[1:], "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "goes on from image " in planned.stderr
    assert list((home.path / ".ganflow" / "scratch").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_in_a_training_leaves_a_checkpoint_from_which_it_goes_on(home, workers):
    never = (*DEBUG, "--set", "train.total_kimg=100", "--set", "train.checkpoint_kimg=100")
    never = (*never, "--set", f"train.seed=9{workers}", "--workers", workers)
    with running(home.path, "train", *never) as command:
        command.wait_for(lambda: " images, " in command.errors.read_text())  # its first progress line
        said = command.stop(signal.SIGTERM)
    assert command.process.returncode == 143
    again = f"ganflow train {' '.join(never)} --resume auto"
    assert said.splitlines()[-1] == f"ganflow: interrupted: `{again}` goes on from the last checkpoint"
    assert unended(home.path) == []
    planned = home.ganflow(*again.split()[1:], "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "goes on from image " in planned.stderr


@pytest.mark.slow
def test_a_training_whose_time_is_over_pauses_and_goes_on(home):
    training = (*DEBUG, "--set", "train.total_kimg=100", "--set", "train.checkpoint_kimg=100", "--set", "train.seed=93")
    never = ("train", *training, "--resume", "auto", "--max-minutes", "0.05", "--json")
    first, again = (home.ganflow(*never) for _ in range(2))
    assert (first.returncode, again.returncode) == (75, 75), again.stderr
    paused, further = (json.loads(done.stdout) for done in (first, again))
    assert paused["run_id"] == further["run_id"]
    assert 0 < paused["cur_nimg"] < further["cur_nimg"] < further["total_nimg"] == 100_000
    assert f"the time is over at {paused['cur_nimg']:,} of 100,000 images" in paused["paused"]
    assert f"goes on from image {paused['cur_nimg']}" in again.stderr
    assert unended(home.path) == []


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a champion, and a folder of images that takes a while to read."""
    path = tmp_path_factory.mktemp("stopping")
    with running(path, "run", *SHORT, "--set", "release.num_images=64") as command:
        command.process.communicate(timeout=800)
    assert command.process.returncode == 0, command.errors.read_text()
    (path / "images").mkdir()
    noise = np.random.default_rng(0)
    for number in range(4000):
        Image.fromarray(noise.integers(0, 256, (64, 64, 3), np.uint8)).save(path / "images" / f"{number}.bmp")
    return path


EVALUATING, TRAINING = ".ganflow/scratch/evaluation-*.lock", ".ganflow/runs/*/checkpoint_*"
PHASES = {
    "importing": (("train", *LONG), None),
    "starting Prefect": (("train", *LONG), ".ganflow/prefect/*.db-shm"),
    "run, ingesting": (("run", "--source", "images", *LONG), ".ganflow/ingest/*"),
    "run, starting Ray": (("run", *LONG), ".ganflow/scratch/checkpoint-*.lock"),
    "run, training": (("run", *LONG), TRAINING),
    "run, waiting for scores": (("run", *SCORED), ".ganflow/runs/*/checkpoint_*.json"),
    "run, evaluating": (("run", *SHORT, *MEASURED), EVALUATING),
    "run, registering": (("run", *SHORT), "mlartifacts/*/models/*"),
    "run, generating": (
        ("run", *SHORT, "--set", "release.num_images=50000"),
        ".ganflow/scratch/release-*.lock",
    ),
    "ingest": (("ingest", "images", "--preset", "debug"), ".ganflow/ingest/*"),
    "retrain, training": (("retrain", *LONG), TRAINING),
    "evaluate": (("evaluate", *DEBUG, *MEASURED), EVALUATING),
    "generate": (("generate", *DEBUG, "-n", "50000"), ".ganflow/scratch/release-*.lock"),
    "compare": (("compare", "data", "data"), ".ganflow/scratch/compare-*.lock"),
    "sample": (("sample", "-n", "9000"), 3.0),
}


def is_importing(command: Stopped) -> bool:
    """Whether the command has begun, and imports what it needs: pydantic comes first, whatever the machine's speed."""
    return any("pydantic_core" in each.path for each in psutil.Process(command.process.pid).memory_maps())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("phase", PHASES)
def test_a_command_that_is_stopped_leaves_nothing_running(own_home, phase, number):
    arguments, shows = PHASES[phase]
    print(f"\n{phase}, {number.name}: ", end="")  # noqa: T201
    for path in ("ingest", "prefect"):
        shutil.rmtree(own_home / ".ganflow" / path, ignore_errors=True)
    before = unended(own_home)
    with running(own_home, *arguments) as command:
        if shows is None:
            command.wait_for(lambda: is_importing(command))
        elif isinstance(shows, float):
            time.sleep(shows)
        else:
            command.wait_for(new(own_home, shows))
        said = command.stop(number)
    if number == signal.SIGKILL:
        assert command.process.returncode == -signal.SIGKILL
    else:
        assert command.process.returncode == 128 + number
        assert said.startswith("ganflow: interrupted: ")
        assert said.count("\n") == 1, said
        assert unended(own_home) == before
    remove_abandoned(Settings(ganflow_home=own_home))  # as the next command does
    assert list((own_home / ".ganflow" / "scratch").glob("*")) == []


@pytest.mark.slow
def test_ctrl_c_while_up_starts_leaves_nothing_running(own_home):
    ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    prefect, mlflow = (str(port.getsockname()[1]) for port in ports)
    for port in ports:
        port.close()
    with running(own_home, "up", "--prefect-port", prefect, "--mlflow-port", mlflow) as command:
        command.wait_for(lambda: len(command.left()) > 2)
        said = command.stop(signal.SIGINT)
    assert (command.process.returncode, said.strip()) == (0, "stopping …")
    assert not (own_home / ".ganflow" / "up.json").exists()
