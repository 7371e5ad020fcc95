"""A setting that threads hold at once is put back as the first found it, when the last has left."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import permutations
from threading import Barrier

import pytest

from gan.device.process_setting import ProcessSetting


class Setting:
    """A number of the whole process."""

    def __init__(self):
        self.number = 7
        self.held = ProcessSetting(self.begin, self.end)

    def begin(self):
        before, self.number = self.number, 1
        return before

    def end(self, before):
        self.number = before


@pytest.mark.parametrize("leaving", list(permutations(range(3))))
def test_the_last_to_leave_puts_back_what_the_first_has_found(leaving):
    setting = Setting()
    inside = [ExitStack() for _ in range(3)]
    for each in inside:
        each.enter_context(setting.held())
    for number in leaving:
        assert setting.number == 1
        inside[number].close()
    assert setting.number == 7


def test_many_threads_never_see_it_otherwise():
    threads, setting = 4, Setting()
    start = Barrier(threads)

    def go() -> set[int]:
        start.wait()
        seen = set()
        for _ in range(500):
            with setting.held():
                seen.add(setting.number)
        return seen

    with ThreadPoolExecutor(threads) as pool:
        found = [pool.submit(go) for _ in range(threads)]
        assert set().union(*(each.result() for each in found)) == {1}
    assert setting.number == 7


def test_an_error_inside_leaves_it_as_it_was():
    setting = Setting()
    with pytest.raises(ZeroDivisionError), setting.held():
        raise ZeroDivisionError
    assert setting.number == 7


def test_what_cannot_be_set_is_held_by_nobody():
    setting = Setting()
    failing = ProcessSetting(lambda: 1 / 0, setting.end)
    with pytest.raises(ZeroDivisionError), failing():
        pytest.fail("inside")
    assert failing.holders == 0
    assert setting.number == 7
