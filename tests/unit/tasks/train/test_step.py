"""What a person sees of a training: the line, and the scores that are waited for."""

import pytest

from gan.training.context import Progress
from tasks.runtime.progress import Reporter
from tasks.train.channel import Scoring
from tasks.train.step import ProgressLine, TrainingReporter


def losses(cur_nimg, value, rate=100.0, **more):
    metrics = {"D_loss": value, "G_loss": 2 * value, "D_sign": value, "r1": 5.0, "images_per_second": rate}
    return Progress(cur_nimg, 100_000, metrics | more)


def kid(cur_nimg, value):
    return Progress(cur_nimg, 100_000, {"kid": value, "kid_low": value - 1, "kid_high": value + 1, "variety": 0.9})


def test_the_line_keeps_the_last_losses_and_the_last_kid():
    line = ProgressLine()
    assert line.after(losses(2000, 0.5))[:2] == (2000, "D_loss 0.500  G_loss 1.000  D_sign +0.50")
    assert line.after(losses(3000, 0.25))[:2] == (3000, "D_loss 0.250  G_loss 0.500  D_sign +0.25")
    note = "D_loss 0.250  G_loss 0.500  D_sign +0.25  kid 0.0492 at 1,000"
    assert line.after(kid(1000, 0.04921))[:2] == (3000, note)
    note = "D_loss 0.125  G_loss 0.250  D_sign -0.50  kid 0.0492 at 1,000"
    assert line.after(losses(4000, 0.125, D_sign=-0.5))[:2] == (4000, note)
    note = "D_loss 0.125  G_loss 0.250  D_sign -0.50  kid -0.0004 at 3,000"
    assert line.after(kid(3000, -0.0004))[:2] == (4000, note)


def test_what_a_record_lacks_stays_as_it_was():
    line = ProgressLine()
    line.after(losses(2000, 0.5))
    found = line.after(Progress(3000, 100_000, {"D_loss": 0.25, "images_per_second": 100.0}))
    assert found == (3000, "D_loss 0.250  G_loss 1.000  D_sign +0.50", pytest.approx(100.0))
    assert ProgressLine().after(kid(1000, 0.5)) == (1000, "kid 0.5000 at 1,000", None)


def test_a_run_that_goes_on_has_its_own_speed_and_place_at_once():
    assert ProgressLine().after(losses(52_000, 0.5, rate=250.0))[::2] == (52_000, pytest.approx(250.0))


def test_a_restart_of_the_workers_goes_back_to_their_checkpoint():
    line = ProgressLine()
    for cur_nimg in (2000, 4000, 6000):
        line.after(losses(cur_nimg, 0.5))
    assert line.after(losses(4500, 0.5))[0] == 4500
    assert line.after(kid(4000, 0.5))[0] == 4500


def test_the_speed_is_that_of_the_last_five_marks():
    line = ProgressLine()
    line.after(losses(1000, 0.5, rate=1.0))  # the first may hold a compilation
    for mark in range(4):
        line.after(losses(2000 + mark, 0.5, rate=100.0))
    assert line.after(losses(6000, 0.5, rate=50.0))[2] == pytest.approx(5 / (4 / 100 + 1 / 50))


def test_a_large_network_says_between_two_marks_how_far_it_is():
    line = ProgressLine()
    assert line.after(Progress(64, 100_000, rate=4.0)) == (64, "", 4.0)
    assert line.after(losses(1000, 0.5, rate=4.0))[::2] == (1000, 4.0)


def test_scores_are_shown_once_nothing_else_is_left_to_do():
    seen = []

    def show(description, place):
        seen.append((description, place.done, place.total, place.note))

    shown = TrainingReporter(Reporter("training", 2000, "images", show), 2000)
    shown.training(Progress(1000, 2000, {"images_per_second": 10.0}))
    shown.scoring(Scoring(1000, 8, 1250))
    shown.training(Progress(2000, 2000, {"images_per_second": 10.0}))
    shown.scoring(Scoring(1000, 600, 1250))
    shown.training(Progress(1000, 2000, {"kid": 0.05}))
    shown.scoring(Scoring(2000, 8, 250))
    shown.scoring(Scoring(2000, 250, 250))
    assert seen == [
        ("training", 1000, 2000, ""),
        ("training", 2000, 2000, ""),
        ("scoring", 600, 1250, "the checkpoint at 1,000 images"),
        ("scoring", 8, 250, "the checkpoint at 2,000 images"),
        ("scoring", 250, 250, "the checkpoint at 2,000 images"),
    ]
