import errno

import pytest

from gan.errors import InputError
from tasks.runtime.patience import patiently


def failing(times, error):
    tries = []

    def act():
        tries.append(1)
        if len(tries) <= times:
            raise error
        return len(tries)

    return act, tries


def test_the_weather_passes():
    act, _ = failing(3, ConnectionError("no answer"))
    warnings = []
    assert patiently(act, "storing it", warnings.append, first=0.001) == 4
    assert warnings == [
        f"storing it did not work (no answer): it is tried again, {left} more times" for left in (4, 3, 2)
    ]


@pytest.mark.parametrize("error", [InputError("wrong"), OSError(errno.ENOSPC, "full"), ValueError("a bug")])
def test_what_is_no_weather_is_raised_at_once(error):
    act, tries = failing(1, error)
    with pytest.raises(type(error)):
        patiently(act, "storing it", pytest.fail)
    assert len(tries) == 1


def test_patience_ends():
    act, tries = failing(10, ConnectionError("no answer"))
    with pytest.raises(ConnectionError):
        patiently(act, "storing it", lambda sentence: None, tries=3, first=0.001)
    assert len(tries) == 3
