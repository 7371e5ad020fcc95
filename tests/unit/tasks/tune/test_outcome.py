"""The winner of a search, its command, and what is said of it."""

import shlex

import pytest

from flows.configure import resolve_config
from gan.metrics.evaluation import Metric
from tasks.tune.judge import Judged
from tasks.tune.outcome import candidate_of, outcome_of, retrain_line, verdict
from tasks.tune.page import trial_rows, tuning_html
from tasks.tune.runs import TrialRecord
from tasks.tune.trial import Mark


def record(number, kid, outcome="finished", changes=()):
    marks = tuple(Mark(kimg=kimg, kid=kid + 1 / kimg, low=0.0, high=1.0) for kimg in (4, 8))
    return TrialRecord(
        number=number,
        changes=changes,
        run_id=f"run{number}",
        marks=marks,
        outcome=outcome,
        kid=kid if outcome == "finished" else None,
    )


def judged(low, high):
    difference = Metric(value=(low + high) / 2, low=low, high=high)
    return Judged(winner=Metric(value=0.1), preset=Metric(value=0.2), difference=difference, images=100, reference=90)


CHANGES = ("optimizer.lr=0.002", 'augment.operations=["colour", "flip"]')
TRIALS = [record(0, 0.2), record(1, 0.05, "stopped"), record(2, 0.1, changes=CHANGES), record(3, 0.15)]


def outcome(difference):
    return outcome_of(resolve_config("digits", ["train.flip=false"]), "parent", 8.0, "md5", TRIALS, difference)


def test_the_candidate_came_to_its_end_and_is_not_the_preset():
    assert candidate_of(TRIALS).number == 2
    assert candidate_of([record(0, 0.0), record(1, 0.1, "stopped")]) is None


def test_the_line_is_what_a_shell_gives_back():
    line = retrain_line("digits", CHANGES)
    assert shlex.split(line) == ["ganflow", "retrain", "--preset", "digits", "--set", CHANGES[0], "--set", CHANGES[1]]


@pytest.mark.parametrize("by", [-0.05, 0.05])
def test_a_difference_without_an_interval_beats_nothing(by):
    sides = {"winner": Metric(value=0.1), "preset": Metric(value=0.2)}
    found = Judged(**sides, difference=Metric(value=by), images=3, reference=3)
    assert not found.beats
    assert verdict(3, found).startswith(
        f"trial 3 does not beat the preset by more than chance (difference {by:+.4f}): on 3 fresh seeds"
    )


def test_a_winner_that_beats_the_preset_is_what_is_trained():
    found = outcome(judged(-0.12, -0.08))
    assert found.beats
    assert found.changes == ("train.flip=false", *CHANGES)
    assert found.command == retrain_line("digits", found.changes)
    assert found.verdict == (
        "trial 2 beats the preset by 0.1000 (0.0800 to 0.1200): on 100 fresh seeds KID 0.1000 against 0.2000"
    )
    assert resolve_config("digits", found.changes).config.optimizer.lr == 0.002


@pytest.mark.parametrize("ends", [(-0.12, 0.01), (0.01, 0.02), (-0.1, 0.0)])
def test_by_chance_nothing_beats_the_preset(ends):
    found = outcome(judged(*ends))
    assert not found.beats
    assert found.changes == ("train.flip=false",)
    assert "trial 2 does not beat the preset by more than chance" in found.verdict


def test_a_search_without_a_candidate_says_so():
    assert verdict(None, None) == "no other trial came to its end: nothing beats the preset"


def test_table_and_page_show_each_trial():
    found = outcome(judged(-0.12, -0.08))
    rows = trial_rows(found)
    assert [row["trial"] for row in rows] == ["1", "2", "3", "0"]
    assert rows[-1]["changes"] == "the preset itself"
    assert [row["end"] for row in rows] == ["stopped early", "at the end", "at the end", "at the end"]
    page = tuning_html(found)
    assert page.count("<figure>") == 4
    assert "beats the preset by 0.1000 (0.0800 to 0.1200)" in page
    assert "seeds that chose nothing" in page
