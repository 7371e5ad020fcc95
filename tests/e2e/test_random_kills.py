"""A training that is killed again and again is, in the end, the training that was never touched.

`GANFLOW_DRILL_SEED` draws the moments, `pytest -m slow -s` prints them.
"""

import os
import random
import time

import pytest
import torch
from drilling.commands import Command, until
from drilling.ledger import Ledger

from gan.training.checkpoint import load_header, load_tensors
from tasks.train.run_storage import RunStorage

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3600)]
SEED = int(os.environ.get("GANFLOW_DRILL_SEED", "0"))
KILLS, STEPS, BATCH = 10, 60, 32
IMAGES = 24000  # more than ten times the most steps between two kills
WORDS = (
    "--preset",
    "debug",
    "--set",
    f"train.total_kimg={IMAGES / 1000}",
    "--set",
    "train.checkpoint_kimg=0.8",
    "--json",
)
IN_A_ROW = 3  # restarts of workers that a command makes


@pytest.fixture
def train(home, tmp_path):
    """Start a training with a ledger; every one is ended with the test."""
    started: list[Command] = []

    def start(ledger: Ledger, *more: str) -> Command:
        environment = home.environment | ledger.environment
        started.append(Command(tmp_path, "train", *WORDS, *more, environment=environment))
        return started[-1]

    yield start
    for each in started:
        each.end()


def last_checkpoint(home, run_id, folder):
    storage = RunStorage(str(home.path / ".ganflow" / "runs"), run_id)
    return storage.fetch(storage.checkpoints()[0], folder)


def flat(tree, path=()):
    """All tensors of a checkpoint by the way to them."""
    if isinstance(tree, dict):
        return {key: value for name, below in tree.items() for key, value in flat(below, (*path, name)).items()}
    if isinstance(tree, list | tuple):
        return {key: value for place, below in enumerate(tree) for key, value in flat(below, (*path, place)).items()}
    return {path: tree}


def killed(draw, ledger, training, more):
    """Kill what was drawn at a moment that was drawn; the process, or None where it had gone by itself."""
    kind, steps = draw
    goal = ledger.steps() + steps
    until(lambda: ledger.steps() >= goal, training)
    assert not training.ended, training.said()
    if kind == "driver":
        training.kill()
        return more()
    worker = ledger.newest_worker()
    assert worker is not None
    os.kill(worker, 9)
    return training


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ten_kills_change_nothing(home, train, tmp_path, workers):
    draws = random.Random(SEED + int(workers))
    begins = ("--workers", workers, "--set", f"train.seed={workers}")
    undisturbed = Ledger(tmp_path / "undisturbed")
    first = train(undisturbed, *begins).result()
    assert undisturbed.require_each_image_once(IMAGES)["starts"] == 1

    ledger, again = Ledger(tmp_path / "ledger"), (*begins, "--resume", "auto")
    training, kills, of_workers = train(ledger, *begins), [], 0
    for _ in range(KILLS):
        kind = draws.choice(["worker", "driver"]) if of_workers < IN_A_ROW else "driver"
        draw = kind, draws.randint(1, STEPS)
        kills.append(draw)
        of_workers = of_workers + 1 if kind == "worker" else 0
        begun = len(ledger.groups())
        training = killed(draw, ledger, training, lambda: train(ledger, *again))
        until(lambda: len(ledger.groups()) > begun, training)  # noqa: B023
        time.sleep(draws.uniform(0, 0.5))  # not always at the end of a step
    print(f"\nseed {SEED}: {kills}")  # noqa: T201
    result = training.result()
    figures = ledger.require_each_image_once(IMAGES)
    print(figures)  # noqa: T201

    assert (result["end_nimg"], result["cur_nimg"]) == (IMAGES, IMAGES)
    assert result["run_id"] != first["run_id"]
    assert figures["starts"] == KILLS + 1
    assert figures["count"] == IMAGES // BATCH * int(workers)
    assert ledger.what_counts(IMAGES) == undisturbed.what_counts(IMAGES)
    wanted = last_checkpoint(home, first["run_id"], tmp_path / "wanted")
    found = last_checkpoint(home, result["run_id"], tmp_path / "found")
    assert load_header(found).cur_nimg == load_header(wanted).cur_nimg == IMAGES
    here, there = (flat(load_tensors(folder, torch.device("cpu"))) for folder in (wanted, found))
    assert here.keys() == there.keys()
    assert len(here) > 100
    assert [name for name, tensor in here.items() if not equal(tensor, there[name])] == []


def equal(one, other):
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
