import signal
import threading

import pytest

from tasks.runtime import stopping
from tasks.runtime.stopping import begin_to_stop, do_last_acts, handlers_kept, is_stopping, last_act, said_if_stopped


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    monkeypatch.setattr(stopping, "_stopping", threading.Event())
    monkeypatch.setattr(stopping, "_sentences", [])


def test_the_inner_block_knows_better():
    assert not is_stopping()
    default = begin_to_stop()
    assert is_stopping()
    with said_if_stopped("outer"):
        with said_if_stopped("inner"):
            assert begin_to_stop() == "inner"
        with pytest.raises(ValueError, match="bug"), said_if_stopped("inner"):
            raise ValueError("bug")
        assert begin_to_stop() == "outer"
    assert begin_to_stop() == default


def test_ctrl_c_keeps_what_the_block_that_it_leaves_has_said():
    with pytest.raises(KeyboardInterrupt), said_if_stopped("outer"), said_if_stopped("inner"):
        raise KeyboardInterrupt
    assert begin_to_stop() == "inner"


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
