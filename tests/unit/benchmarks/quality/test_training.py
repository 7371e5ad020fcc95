"""The training of a cell: its budget, its resuming, what it refuses."""

import json
import os
import signal

import pytest
import torch
from quality.cells import Budget
from quality.clock import TimedContext
from quality.training import LeftError, choose_way, measure, require_same, train_cell, within

from gan.errors import ConfigError

CPU = torch.device("cpu")


class KilledError(Exception):
    """Stands for a kill."""


def silent(text):
    """Hear nothing."""


def weights(trained):
    return trained.run.nets.G_ema.state_dict()


def test_a_killed_training_goes_on_to_the_same_weights_and_counts_its_seconds_once(cell, data, tmp_path, monkeypatch):
    straight = train_cell(cell, data, tmp_path / "straight", CPU, silent)
    save = TimedContext.save_checkpoint

    def killed(self, cur_nimg, snapshot):
        save(self, cur_nimg, snapshot)
        if cur_nimg == 16:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(TimedContext, "save_checkpoint", killed)
        with pytest.raises(KilledError):
            train_cell(cell, data, tmp_path / "killed", CPU, silent)
    seconds = json.loads((tmp_path / "killed" / "training" / "clock.json").read_text())["seconds"]
    again = train_cell(cell, data, tmp_path / "killed", CPU, silent)
    assert (straight.record["starts"], again.record["starts"], again.record["images"]) == (1, 2, 32)
    assert again.record["seconds"] >= round(seconds["16"], 2)
    for name, value in weights(straight).items():
        assert torch.equal(value, weights(again)[name]), name


def test_a_finished_training_is_only_read(cell, data, tmp_path):
    first = train_cell(cell, data, tmp_path, CPU, silent)
    again = train_cell(cell, data, tmp_path, CPU, silent)
    assert again.record == first.record


def test_a_budget_in_images_needs_no_probe(cell, data):
    choice = choose_way(cell.config(), data, CPU, silent)
    assert choice == {"precision": "fp32", "compiled": False, "captured": False, "rates": {}}
    found = measure(cell.config(), Budget(kimg=0.5), data, CPU, silent, choice)
    assert found == {"total_kimg": 0.5, "probed_images_per_second": None}


def test_a_budget_in_seconds_becomes_as_many_images_as_were_made_in_that_time(cell, data):
    choice = choose_way(cell.config(), data, CPU, silent)
    found = measure(cell.config(), Budget(seconds=0.05), data, CPU, silent, choice)
    assert found["total_kimg"] * 1000 == pytest.approx(max(0.05 * found["probed_images_per_second"], 8), abs=1)


def test_a_run_knows_its_length_and_how_steps_are_computed(cell):
    found = {"total_kimg": 3.0, "precision": "bf16", "compiled": False, "captured": True}
    config = within(cell.config(), found)
    train = config.train
    assert (train.total_kimg, train.precision, train.compile, train.capture) == (3.0, "bf16", False, True)
    assert (train.checkpoint_kimg, train.log_kimg) == (pytest.approx(0.15), pytest.approx(0.05))
    short = within(cell.config(), found | {"total_kimg": 0.01}).train
    assert (short.checkpoint_kimg, short.log_kimg) == (0.008, 0.008)  # one batch


def test_a_folder_of_another_training_is_refused(cell, data, tmp_path):
    require_same(cell, data, tmp_path)
    require_same(cell, data, tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text())
    plan["config"]["optimizer"]["lr"] = 0.5
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(ConfigError, match=r"whose config.optimizer.lr is 0.5, but here it is 0.001"):
        require_same(cell, data, tmp_path)


def test_a_training_that_is_asked_to_end_keeps_what_it_has_and_goes_on(cell, data, judge, tmp_path, monkeypatch):
    straight = train_cell(cell, data, tmp_path / "straight", CPU, silent)
    heard = TimedContext._heard

    def asked(self, progress):
        heard(self, progress)
        if progress.cur_nimg == 16:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        patched.setattr(TimedContext, "_heard", asked)
        with pytest.raises(LeftError, match="asked to end after 16 images: the same command goes on") as left:
            train_cell(cell, data, tmp_path / "ended", CPU, silent, judge, 24)
    assert left.value.record["images"] == 16
    assert [look["images"] for look in left.value.record["on_the_way"]] == [8]
    assert signal.getsignal(signal.SIGTERM) == before
    assert [path.name for path in (tmp_path / "ended" / "training").glob("checkpoint-*16")]
    again = train_cell(cell, data, tmp_path / "ended", CPU, silent)
    assert again.record["starts"] == 2
    for name, value in weights(straight).items():
        assert torch.equal(value, weights(again)[name]), name
