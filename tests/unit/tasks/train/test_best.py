"""Which checkpoint a training ends with."""

from types import SimpleNamespace

import pytest

from gan.errors import BudgetSpentError, CheckpointError, ServiceError
from gan.training.checkpoint import HASHES, HEADER, TENSORS, save_checkpoint
from tasks.train.best import TrainingResult, fetch_best, require_end
from tasks.train.run_storage import RunStorage
from tasks.train.validator import NOT_MEASURED


@pytest.fixture
def stored(tmp_path, make_header):
    """Make a storage with a checkpoint for each image count, and what Ray Train says of those, not in order."""

    def of(kids):
        storage = RunStorage(str(tmp_path), "run")
        listed = []
        for nimg, kid in kids.items():
            folder = tmp_path / "run" / f"checkpoint_{nimg:09d}"
            folder.mkdir(parents=True)
            save_checkpoint(folder, make_header(cur_nimg=nimg), {})
            listed.append((SimpleNamespace(path=str(folder)), {"cur_nimg": nimg, "kid": kid}))
        return storage, SimpleNamespace(best_checkpoints=listed[::-1])

    return of


@pytest.mark.parametrize(
    ("kids", "cur_nimg", "kid"),
    [
        ({100: 0.3, 200: 0.1, 300: 0.2}, 200, 0.1),
        ({100: -0.001, 200: 0.0, 300: NOT_MEASURED}, 100, -0.001),
        ({100: 0.2, 200: 0.2}, 200, 0.2),
        ({100: NOT_MEASURED, 200: NOT_MEASURED}, 200, None),
    ],
)
def test_the_checkpoint_of_lowest_kid_is_taken_or_else_the_last(tmp_path, stored, kids, cur_nimg, kid):
    storage, result = stored(kids)
    taken = fetch_best(result, storage, tmp_path / "out", 320, pytest.fail)
    assert taken == TrainingResult(tmp_path / "out", cur_nimg, 320, kid)


def test_a_best_checkpoint_that_is_damaged_is_passed_over_and_said(tmp_path, stored):
    storage, result = stored({100: 0.3, 200: 0.1, 300: NOT_MEASURED})
    (tmp_path / "run" / "checkpoint_000000200" / TENSORS).write_bytes(b"")
    said = []
    taken = fetch_best(result, storage, tmp_path / "out", 320, said.append)
    assert taken == TrainingResult(tmp_path / "out", 100, 320, 0.3)
    assert said == ["checkpoint_000000200 is cut short or altered: the next best checkpoint is taken"]


def test_without_rays_list_the_newest_checkpoint_is_taken(tmp_path, stored):
    storage, result = stored({100: 0.3, 200: 0.1})
    result.best_checkpoints = None
    assert fetch_best(result, storage, tmp_path / "out", 320, pytest.fail).cur_nimg == 200
    for nimg in (100, 200):
        (tmp_path / "run" / f"checkpoint_{nimg:09d}" / HASHES).unlink()
    with pytest.raises(CheckpointError, match="run run left no complete checkpoint"):
        fetch_best(result, storage, tmp_path / "out", 320, pytest.fail)


def test_a_training_that_left_before_its_end_is_not_taken_for_a_finished_one(tmp_path, stored):
    storage, _ = stored({100: NOT_MEASURED, 200: 0.1})
    require_end(storage, 200)
    with pytest.raises(ServiceError, match="left at 200 of 320 images"):
        require_end(storage, 320)
    with pytest.raises(BudgetSpentError, match="the time is over at 200 of 320 images of run run") as told:
        require_end(storage, 320, asked=True)
    assert (told.value.run_id, told.value.cur_nimg, told.value.total_nimg) == ("run", 200, 320)


def test_a_damaged_checkpoint_tells_nothing_of_how_far_a_training_came_but_the_one_before_does(tmp_path, stored):
    storage, _ = stored({100: NOT_MEASURED, 200: 0.1})
    (tmp_path / "run" / "checkpoint_000000200" / HEADER).write_bytes(b"{")
    with pytest.raises(ServiceError, match="left at 100 of 320 images"):
        require_end(storage, 320)
    (tmp_path / "run" / "checkpoint_000000100" / HEADER).unlink()
    require_end(storage, 320)  # fetching finds none, and says so


def test_a_storage_that_does_not_answer_is_no_finished_training(stored, monkeypatch):
    storage, _ = stored({100: NOT_MEASURED})

    def away(*_):
        raise OSError("input/output error")

    monkeypatch.setattr(RunStorage, "header", away)
    with pytest.raises(OSError, match="input/output error"):
        require_end(storage, 320)
