"""What runs beside a block begins with it and has ended when it is left, also by an error."""

import threading

import pytest

from tasks.runtime.beside import beside


def test_it_begins_with_the_block_and_is_waited_for():
    begun, steps = threading.Event(), []

    def act(over):
        begun.set()
        over.wait()
        steps.append("ended")

    with beside("test", act):
        assert begun.wait(30)
        assert steps == []
    assert steps == ["ended"]
    with pytest.raises(OSError, match="gone"), beside("test", act):
        raise OSError("gone")
    assert steps == ["ended", "ended"]
