import signal
import threading

import pytest

from tasks.stopping import do_last_acts, goes_on, handlers_kept, how_to_go_on, last_act


def test_the_inner_block_knows_better_and_an_interruption_keeps_what_it_said():
    default = how_to_go_on()
    with goes_on("outer"):
        with goes_on("inner"):
            assert how_to_go_on() == "inner"
        with pytest.raises(ValueError, match="bug"), goes_on("inner"):
            raise ValueError("bug")
        assert how_to_go_on() == "outer"
    assert how_to_go_on() == default


def test_last_acts_are_done_newest_first_whatever_becomes_of_one():
    done = []
    with last_act(lambda: done.append(1)), last_act(lambda: 1 / 0), last_act(lambda: done.append(2)):
        do_last_acts(60)
    do_last_acts(60)
    assert done == [2, 1]


def test_an_act_that_hangs_is_not_waited_for():
    hanging = threading.Event()
    with last_act(hanging.wait):
        do_last_acts(0.01)
    hanging.set()


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with handlers_kept():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
