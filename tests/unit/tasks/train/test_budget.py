"""A training's time: when it is asked to leave, and what is told of it."""

import threading
import time

import pytest

from gan.errors import BudgetSpentError
from tasks.train.budget import Paused, deadline, leaving_at, minutes_left


class Channel:
    def __init__(self):
        self.asked, self.leave = threading.Event(), self

    def remote(self):
        self.asked.set()


def test_it_is_asked_to_leave_when_its_time_is_over_and_not_before():
    channel = Channel()
    with leaving_at(time.monotonic() + 0.05, channel) as spent:
        assert channel.asked.wait(60)
    assert spent.is_set()


@pytest.mark.parametrize("until", [None, float("inf")])
def test_a_training_that_ends_in_time_is_not_asked(until):
    channel = Channel()
    with leaving_at(until and time.monotonic() + 3600, channel) as spent:
        pass
    assert not spent.is_set()
    assert not channel.asked.is_set()


def test_minutes_are_what_is_left_of_them():
    assert deadline(None) is minutes_left(None) is None
    assert 9 < minutes_left(deadline(10)) <= 10
    assert minutes_left(time.monotonic() - 5) == 0


def test_a_pause_is_told_as_an_error_and_back():
    paused = Paused.of(BudgetSpentError("the time is over", "abc", 1_500, 100_000))
    assert (paused.run_id, paused.cur_nimg, paused.total_nimg) == ("abc", 1_500, 100_000)
    assert paused.error().exit_status == 75
    assert str(paused.error()) == paused.paused
