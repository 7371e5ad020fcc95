"""Seconds of training, told by a clock that the test turns."""

import pytest
from quality.clock import Clock


class Hands:
    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


@pytest.fixture
def hands():
    return Hands()


def clock(tmp_path, hands, *, prepared=False):
    return Clock(tmp_path / "clock.json", prepared=prepared, now=hands)


def test_a_run_without_a_stop(tmp_path, hands):
    one = clock(tmp_path, hands)
    one.start(0)
    hands.at += 3
    one.record(10)
    hands.at += 4
    one.keep(20)
    assert one.at(20) == 7


def test_what_came_after_the_last_checkpoint_counts_once(tmp_path, hands):
    first = clock(tmp_path, hands)
    first.start(0)
    hands.at += 5
    first.keep(10)
    hands.at += 50  # lost by the kill
    again = clock(tmp_path, hands)
    hands.at += 500  # nothing ran
    again.start(10)
    hands.at += 6
    again.keep(20)
    assert again.at(20) == 11
    assert clock(tmp_path, hands).at(20) == 11
    assert clock(tmp_path, hands).starts == 2


def test_a_count_whose_checkpoint_was_never_written_is_not_gone_on_from(tmp_path, hands):
    first = clock(tmp_path, hands)
    first.start(0)
    hands.at += 5
    first.keep(10)
    hands.at += 5
    first.keep(20)  # and killed here: the newest checkpoint is that of 10
    again = clock(tmp_path, hands)
    again.start(10)
    hands.at += 7
    again.keep(20)
    assert again.at(20) == 12


def test_images_up_to_the_first_record_count_as_the_others_where_they_take_longer(tmp_path, hands):
    one = clock(tmp_path, hands, prepared=True)
    one.start(0)
    hands.at += 90
    one.record(10)
    hands.at += 6
    one.record(40)
    one.keep(40)
    assert one.at(40) == pytest.approx(8)
    again = clock(tmp_path, hands, prepared=True)
    again.start(40)
    hands.at += 90
    again.record(50)
    hands.at += 2
    again.keep(60)
    assert again.at(60) == pytest.approx(8 + 4)


def test_a_run_that_ends_with_its_first_record_counts_what_it_took(tmp_path, hands):
    one = clock(tmp_path, hands, prepared=True)
    one.start(0)
    hands.at += 90
    one.record(10)
    one.keep(10)
    assert one.at(10) == 90


@pytest.mark.parametrize("prepared", [False, True])
def test_what_is_done_while_it_stands_still_does_not_count(tmp_path, hands, prepared):
    one = clock(tmp_path, hands, prepared=prepared)
    one.start(0)
    hands.at += 2
    one.record(10)
    for cur_nimg in (20, 30):
        hands.at += 2
        one.keep(cur_nimg)
        with one.stopped():
            hands.at += 1000
    assert (one.at(20), one.at(30)) == (4, 6)
    with pytest.raises(OSError, match="the look failed"), one.stopped():
        raise OSError("the look failed")
