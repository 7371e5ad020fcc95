"""Half an hour of trainings with a fault each minute: each ends with its images, and nothing grows or is left.

`GANFLOW_SOAK_MINUTES` says how long, `GANFLOW_SOAK_PAUSE` how many seconds are between faults, `GANFLOW_SOAK_SEED`
which they are; `pytest -m slow -s` prints the figures as JSON.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from drilling.commands import Command, clean_environment, named, send
from drilling.homes import home_with_digits
from drilling.ledger import Ledger
from drilling.leftovers import names_below, unused_shared_memory
from mlflow import MlflowClient

from tasks.runtime.scratch import remove_abandoned
from tasks.runtime.settings import Settings
from tasks.tracking.registry import load_generator

MINUTES = float(os.environ.get("GANFLOW_SOAK_MINUTES", "30"))
SEED = int(os.environ.get("GANFLOW_SOAK_SEED", "0"))
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(60 * MINUTES + 3600)]
PAUSE = float(os.environ.get("GANFLOW_SOAK_PAUSE", "60"))
KIMG = 40
MOST_MISSED = 90  # times, a second between them, that a fault waits for what it is to hit
NOTES = ("ganflow: no unfinished run of this recipe", "ganflow: run ")  # what is said before a training begins
TRAIN = ("train", "--preset", "debug", "--set", f"train.total_kimg={KIMG}", "--set", "train.checkpoint_kimg=2")
WATCHED = ("--set", "evaluation.watch_images=20", "--resume", "auto", "--json")


def temporary(place: Path) -> Path:
    """The folder for what commands put on this machine's disk, beside another one: sockets lie deep in it."""
    return place.with_name(f"t{place.name[1:]}")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose name is short, for sockets: all that commands put on this machine's disk lies in it."""
    folder = Path("/tmp", f"s{os.getpid()}")
    folder.mkdir()
    temporary(folder).mkdir()
    (folder / "storage").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "soak", folder / "storage"], capture_output=True, check=False
    )
    try:
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", folder / "storage"], check=True)
        shutil.rmtree(folder)
        shutil.rmtree(temporary(folder))


class Soak:
    """One training after the other, and what is done to them.

    Args:
        place: a folder.
        random_faults: draws them.
    """

    def __init__(self, place: Path, random_faults: random.Random) -> None:
        self.storage = place / "storage"
        self.place, self.random = place, random_faults
        self.environment = clean_environment(
            GANFLOW_HOME=str(place / "home"), GANFLOW_STORAGE=str(self.storage), TMPDIR=str(temporary(place))
        )
        self.command: Command | None = None
        self.commands: list[Command] = []
        self.ledger = Ledger(place / "ledger-0")
        self.trained: list[dict[str, object]] = []
        self.due, self.missed = "", 0
        self.faults: list[str] = []
        self.endings: list[str] = []
        self.memory: list[tuple[float, int, int]] = []
        self.began = time.monotonic()

    def start(self) -> None:
        """Type the command, once more where it has been typed before."""
        seed = ("--set", f"train.seed={len(self.trained)}")
        environment = self.environment | self.ledger.environment
        self.command = Command(self.place, *TRAIN, *seed, *WATCHED, environment=environment)
        self.commands.append(self.command)

    def look(self) -> None:
        """See how the command is: take its result, or type it again, and note what workers take of memory."""
        assert self.command
        if not self.command.ended:
            for each in named(self.command.below(), "RayTrainWorker"):
                with contextlib.suppress(psutil.Error):
                    self.memory.append((time.monotonic() - self.began, each.pid, each.memory_info().rss))
            return
        if self.command.process.returncode == 0:
            result = self.command.result()
            self.trained.append(result | self.ledger.require_each_image_once(KIMG * 1000))
            self.ledger = Ledger(self.place / f"ledger-{len(self.trained)}")
        else:
            self._note_ending()
        self.start()

    def _note_ending(self) -> None:
        assert self.command
        status, said = self.command.process.returncode, self.command.said()
        told = [line for line in said.splitlines() if line.startswith("ganflow: ") and not line.startswith(NOTES)]
        self.endings.append(f"{status} {told[-1] if told else ''}")
        if status != -signal.SIGKILL:
            assert status in {1, 75}, said
            assert len(told) == 1, said
            assert "Traceback" not in said, said

    def fault(self) -> bool:
        """Do to the training what is due, as soon as it has what is to be hit; whether it had."""
        self.due = self.due or self.random.choice(sorted(FAULTS))
        if not FAULTS[self.due](self):
            self.missed += 1
            if self.missed > MOST_MISSED:
                self.due, self.missed = "", 0
            return False
        print(f"{time.monotonic() - self.began:6.0f} s: {self.due}", flush=True)  # noqa: T201
        self.faults.append(self.due)
        self.due, self.missed = "", 0
        return True

    def process(self, *words: str) -> psutil.Process | None:
        assert self.command
        found = named(self.command.below(), *words)
        return self.random.choice(found) if found else None

    def figures(self) -> dict[str, object]:
        # the first seconds of a process say nothing of it
        born: dict[int, float] = {}
        grown = [each for each in self.memory if each[0] - born.setdefault(each[1], each[0]) > 10]
        third = max(1, len(grown) // 3)
        first, last = ([rss for _, _, rss in part] for part in (grown[:third], grown[-third:]))
        lives: dict[int, list[int]] = {}
        for _, pid, rss in grown:
            lives.setdefault(pid, []).append(rss)
        longest = max(lives.values(), key=len)
        part = max(1, len(longest) // 3)
        return {
            "minutes": round((time.monotonic() - self.began) / 60, 1),
            "trainings": len(self.trained),
            "faults": {name: self.faults.count(name) for name in sorted(set(self.faults))},
            "endings": {ending: self.endings.count(ending) for ending in sorted(set(self.endings))},
            "steps": {
                key: sum(int(str(each[key])) for each in self.trained) for key in ("starts", "consumed", "count")
            },
            "worker_mib": {"first_third": _mib(first), "last_third": _mib(last), "workers": len(lives)},
            "longest_worker_mib": {"first_third": _mib(longest[:part]), "last_third": _mib(longest[-part:])},
        }


def _mib(values: list[int]) -> float:
    return round(statistics.median(values) / 2**20, 1)


def killing(*words: str):
    def kill(soak: Soak) -> bool:
        process = soak.process(*words)
        return process is not None and send(process)

    return kill


def killing_in_training(*words: str):
    """Of Ray itself, once workers are there: who kills it while it starts has its command end by Ray's own words."""

    def kill(soak: Soak) -> bool:
        return soak.process("RayTrainWorker") is not None and killing(*words)(soak)

    return kill


def kill_driver(soak: Soak) -> bool:
    assert soak.command
    soak.command.kill()
    return True


def stop_worker(soak: Soak) -> bool:
    process = soak.process("RayTrainWorker")
    if process is None or not send(process, signal.SIGSTOP):
        return False
    time.sleep(10)
    return send(process, signal.SIGCONT)


def read_only(soak: Soak) -> bool:
    """For some seconds; it waits for a moment in which nothing is being written, as mount does."""
    for _ in range(200):
        if not subprocess.run(["mount", "-o", "remount,ro", soak.storage], capture_output=True, check=False).returncode:
            time.sleep(soak.random.uniform(3, 12))
            subprocess.run(["mount", "-o", "remount,rw", soak.storage], check=True)
            return True
        time.sleep(0.05)
    return False


def full(soak: Soak) -> bool:
    ballast = soak.storage / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for _ in range(64 * 256):
                file.write(bytes(4096))
        time.sleep(soak.random.uniform(3, 12))
    finally:
        ballast.unlink()
    return os.path.ismount(soak.storage)


FAULTS = {
    "worker -9": killing("RayTrainWorker"),
    "raylet -9": killing_in_training("raylet/raylet"),
    "directory of Ray -9": killing_in_training("gcs_server"),
    "controller -9": killing("TrainController"),
    "channel -9": killing("ray::Channel"),
    "scoring -9": killing("ray::Validator"),
    "waiting for a score -9": killing("ray::run_validation_fn"),
    "driver -9": kill_driver,
    "worker stopped": stop_worker,
    "storage read-only": read_only,
    "storage full": full,
}


def test_half_an_hour_of_faults(place, tmp_path):
    home_with_digits(place / "home", tmp_path)
    print(f"\nseed {SEED}")  # noqa: T201
    shared = unused_shared_memory()
    soak = Soak(place, random.Random(SEED))
    try:
        soak.start()
        due = soak.began + PAUSE
        while time.monotonic() < soak.began + 60 * MINUTES:
            soak.look()
            if time.monotonic() > due and not soak.command.ended and soak.fault():
                due = time.monotonic() + PAUSE
            time.sleep(1)
        ended = len(soak.trained)
        while len(soak.trained) == ended:  # the last one comes to its end
            soak.look()
            time.sleep(1)
        soak.command.end()
        figures = soak.figures()
        left = [line for command in soak.commands for line in command.left()]
    finally:
        for command in soak.commands:
            command.end()
    remove_abandoned(Settings(ganflow_home=place / "home"))  # as the next command does
    home, mlflow = place / "home", MlflowClient(f"sqlite:///{place / 'home' / 'mlflow.db'}")
    kept = names_below(temporary(place))
    figures |= {"left": {"processes": left, "tmp": sorted(kept)[:20], "shm": sorted(unused_shared_memory() - shared)}}
    print(json.dumps(figures, indent=1))  # noqa: T201

    assert left == []
    assert [name for name in kept if "session_" in name or (name.startswith("ganflow-") and "/" in name)] == []
    assert unused_shared_memory() - shared == set()
    assert list((home / ".ganflow" / "scratch").glob("*")) == []
    assert soak.trained
    for result in soak.trained:
        assert (result["end_nimg"], result["count"]) == (KIMG * 1000, KIMG * 1000 // 32)
        run = mlflow.get_run(str(result["run_id"]))
        assert (run.info.status, "failure" in run.data.tags) == ("FINISHED", False)
        folder = mlflow.download_artifacts(str(result["run_id"]), "checkpoint", str(tmp_path))
        G = load_generator(Path(folder))
        assert torch.isfinite(torch.cat([each.flatten() for each in G.state_dict().values()]).float()).all()
        assert list((soak.storage / str(result["run_id"]) / "leases").glob("*")) == []
    memory = figures["worker_mib"]
    assert memory["last_third"] < 1.2 * memory["first_third"]
