"""The head of a Ray cluster goes while a training runs on it: how the command ends, and that it goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from drilling.commands import Command, until
from drilling.head import Head
from mlflow import MlflowClient

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def head(tmp_path: Path) -> Iterator[Head]:
    head = Head(tmp_path)
    try:
        head.start()
        yield head
    finally:
        head.remove()


@pytest.fixture
def train(home, head, tmp_path):
    """Start a training on that cluster; every one is ended with the test."""
    started: list[Command] = []
    environment = home.environment | head.settings | {"RAY_ADDRESS": head.address}

    def start(seed: int, kimg: float, *more: str) -> Command:
        sets = (f"train.seed={seed}", f"train.total_kimg={kimg}", "train.checkpoint_kimg=0.5")
        words = [word for each in sets for word in ("--set", each)]
        started.append(Command(tmp_path, "train", "--preset", "debug", *words, *more, environment=environment))
        return started[-1]

    yield start
    for each in started:
        each.end()


def checkpoints(home) -> set[Path]:
    return set((home.path / ".ganflow" / "runs").glob("*/checkpoint_*/sha256.json"))


def run_of(home, training: Command) -> str:
    """Wait until a training has two checkpoints, and return its run."""
    before = checkpoints(home)
    until(lambda: len(checkpoints(home) - before) > 1, training)
    assert not training.ended, training.said()
    return (checkpoints(home) - before).pop().parents[1].name


@pytest.mark.parametrize("words", [(), ("gcs_server",)], ids=["all of it", "its directory alone"])
def test_a_head_that_stays_away_ends_the_command_with_a_sentence(home, head, train, words):
    mlflow = MlflowClient(f"sqlite:///{home.path / 'mlflow.db'}")
    training = train(len(words), 400)
    run_id = run_of(home, training)
    assert head.kill(*words) > (0 if words else 5)
    training.process.wait()
    assert training.process.returncode == 75, training.said()
    told = [line for line in training.said().splitlines() if line.startswith("ganflow: ")]
    assert len(told) == 1, training.said()
    assert "Ray cluster" in told[0]
    assert training.left() == []
    assert mlflow.get_run(run_id).info.status == "FAILED"
    kept = len(list((home.path / ".ganflow" / "runs" / run_id).glob("checkpoint_*/sha256.json")))
    assert kept >= 2

    again = train(len(words), 400, "--resume", run_id)
    assert again.process.wait() == 75, "there still is no head"
    if words:
        head.kill()
    head.start()
    again = train(len(words), 400, "--resume", "auto")
    until(lambda: f"run {run_id} goes on from image " in again.said(), again)
    before = checkpoints(home)
    until(lambda: checkpoints(home) - before, again)
    assert {path.parents[1].name for path in checkpoints(home) - before} == {run_id}
    assert mlflow.get_run(run_id).info.status == "RUNNING"


def test_a_head_that_is_started_again_has_the_training_again(home, head, train):
    mlflow = MlflowClient(f"sqlite:///{home.path / 'mlflow.db'}")
    training = train(9, 12, "--json")
    run_id = run_of(home, training)
    head.kill()
    head.start()
    result = training.result()
    assert (result["run_id"], result["end_nimg"]) == (run_id, 12000)
    assert training.said().count("it is tried again in a moment") == 1, training.said()
    assert mlflow.get_run(run_id).info.status == "FINISHED"
    marks = {point.step for point in mlflow.get_metric_history(run_id, "D_loss")}
    # the first step of 32 images that passes each 250 of `train.log_kimg`
    assert marks <= {-(-mark // 32) * 32 for mark in range(250, 12001, 250)}
    assert len(marks) >= 46, "one mark may have been on its way when the head went"
