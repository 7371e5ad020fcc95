"""Lengths of trials, the rungs at which they are compared, and who is stopped there."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.configure import resolve_config
from gan.errors import ConfigError, ResourcesError
from tasks.tune.plan import budgeted, rungs
from tasks.tune.search import cores_of_each, halving


@pytest.mark.parametrize(
    ("kimg", "found"), [(16, [4, 8, 16]), (130.0, [32.5, 65.0, 130.0]), (0.256, [0.064, 0.128, 0.256])]
)
def test_rungs_are_a_quarter_a_half_and_all(kimg, found):
    assert rungs(kimg) == found


@given(st.floats(0.01, 1e5))
def test_ray_tune_compares_at_these_rungs(kimg):
    (bracket,) = halving(kimg)._brackets
    assert [milestone for milestone, _ in bracket._rungs] == rungs(kimg)[::-1]


def stopped(scheduler, number, kimg, kid):
    trial = SimpleNamespace(trial_id=f"t{number}", config={"number": number})
    if trial.trial_id not in scheduler._trial_info:
        scheduler.on_trial_add(None, trial)
    return scheduler.on_trial_result(None, trial, {"kimg": kimg, "kid": kid}) == "STOP"


def test_the_worse_half_is_stopped_and_the_preset_never():
    scheduler = halving(16)
    assert [stopped(scheduler, 1, kimg, 0.1) for kimg in (4, 8, 12, 16)] == [False, False, False, True]
    assert stopped(scheduler, 2, 4, 0.2)  # higher than the one that was there before
    assert not stopped(scheduler, 3, 4, 0.05)
    assert stopped(scheduler, 3, 8, 0.3)
    assert [stopped(scheduler, 0, kimg, 0.9) for kimg in (4, 8, 12, 16)] == [False, False, False, True]


def test_a_trial_has_its_length_its_marks_and_scores():
    config = budgeted(resolve_config("digits", []), 16).config
    assert (config.train.total_kimg, config.train.checkpoint_kimg) == (16, 4)
    assert config.evaluation.watch_images == 250
    assert budgeted(resolve_config("digits", []), None).config.train.total_kimg == 130
    assert budgeted(resolve_config("debug", []), None).config.evaluation.watch_images == 64


def test_a_trial_without_a_batch_at_each_mark_is_refused():
    with pytest.raises(ConfigError, match=r"--kimg 0.1 is too short .* give 0.256 or more"):
        budgeted(resolve_config("digits", []), 0.1)


def test_trials_at_once_have_the_cores_of_one_node_each():
    assert cores_of_each([{"CPU": 8.0}], 3) == 2
    assert cores_of_each([{"CPU": 3.0}, {"CPU": 3.0}], 3) == 1  # not 2, of which each node has one and a half
    with pytest.raises(ResourcesError, match=r"3 trials at once .*: lower --max-trials-at-once"):
        cores_of_each([{"CPU": 8.0, "GPU": 2.0}], 3)
