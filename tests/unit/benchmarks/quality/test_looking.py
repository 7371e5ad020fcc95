"""Looks at a training on its way: where they come, what they leave, and that they change nothing of the training."""

import contextlib

import pytest
import torch
from quality.clock import TimedContext
from quality.looking import Looks, looked_at
from quality.measuring import reference_of
from quality.training import train_cell

CPU = torch.device("cpu")


def silent(text):
    """Hear nothing."""


class KilledError(Exception):
    """Stands for a kill."""


def test_a_training_is_looked_at_after_each_quarter_but_the_last_and_is_the_same(cell, data, judge, tmp_path):
    watched = train_cell(cell, data, tmp_path / "looked-at", CPU, silent, judge, 24)
    alone = train_cell(cell, data, tmp_path / "alone", CPU, silent, judge)
    assert alone.record["on_the_way"] == []
    looks = watched.record["on_the_way"]
    assert [look["images"] for look in looks] == [8, 16, 24]
    seconds = [look["seconds"] for look in looks]
    assert seconds == sorted(seconds)
    for look in looks:
        assert 0 <= look["low"] <= look["fid"] <= look["high"]
        assert look["fid_images"] == 24
    assert looked_at(tmp_path / "looked-at" / "on-the-way") == looks
    for name, value in alone.run.nets.G_ema.state_dict().items():
        assert torch.equal(value, watched.run.nets.G_ema.state_dict()[name]), name


@pytest.fixture
def looking(cell, data, judge, tmp_path):
    """Looks at a training of 100 images, as its checkpoints come: what they return is asked of the newest."""
    train_cell(cell, data, tmp_path, CPU, silent, judge)
    newest = TimedContext(tmp_path / "training", None, silent, CPU).latest_checkpoint

    class Still:
        """A clock that says what it is asked for."""

        def stopped(self):
            return contextlib.nullcontext()

        def at(self, cur_nimg):
            return 1.0

    return Looks(tmp_path, reference_of(cell, data, 20), judge, Still(), 100), newest


def test_a_look_is_the_first_checkpoint_behind_its_mark(looking, tmp_path):
    looks, newest = looking
    asked = []
    for cur_nimg in (10, 24, 30, 40, 55, 60, 90, 99, 100):
        looks(cur_nimg, lambda cur_nimg=cur_nimg: asked.append(cur_nimg) or newest())
    assert asked == [30, 55, 90]
    assert [look["images"] for look in looked_at(tmp_path)] == asked


def test_a_look_that_a_kill_cut_off_comes_with_the_next_checkpoint(looking, tmp_path):
    looks, newest = looking

    def killed():
        raise KilledError

    with pytest.raises(KilledError):
        looks(30, killed)
    looks(40, newest)
    looks(45, killed)  # nobody asks
    assert [look["images"] for look in looked_at(tmp_path)] == [40]
