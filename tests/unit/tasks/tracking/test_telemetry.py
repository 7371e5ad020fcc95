"""What is told of a training while MLflow is away: nothing is lost that can wait, and nothing waits for it."""

import threading

import pytest

from tasks.tracking.telemetry import Telemetry


class Away:
    """A client whose calls fail as long as it is away."""

    def __init__(self):
        self.away = threading.Event()
        self.called = threading.Event()
        self.written = []

    def write(self, what):
        self.called.set()
        if self.away.is_set():
            raise ConnectionError("no answer")
        self.written.append(what)


def test_records_are_written_in_their_order():
    client = Away()
    with Telemetry("run a", pytest.fail) as telemetry:
        for number in range(100):
            telemetry.put("metrics", lambda number=number: client.write(number))
    assert client.written == list(range(100))


def test_what_could_not_be_written_is_written_later_with_one_warning():
    client, warnings = Away(), []
    client.away.set()
    with Telemetry("run a", warnings.append, first_pause=0.01) as telemetry:
        for number in range(20):
            telemetry.put("metrics", lambda number=number: client.write(number))
        assert client.called.wait(10)
        client.away.clear()
    assert sorted(client.written) == list(range(20))
    assert warnings == [
        "MLflow did not take a record of run a (no answer): the work goes on, and what is to be written waits"
    ]


def test_a_record_that_can_never_be_written_holds_no_other_up_and_is_counted():
    client, warnings = Away(), []

    def impossible():
        raise ValueError("no picture")

    with Telemetry("run a", warnings.append, first_pause=0.01) as telemetry:
        telemetry.put("pictures", impossible, 10)
        for number in range(3):
            telemetry.put("metrics", lambda number=number: client.write(number))
    assert client.written == [0, 1, 2]
    assert warnings[1:] == [
        "1 pictures of run a could not be written to MLflow (no picture) and are lost; the work itself is not concerned"
    ]


def test_memory_is_bounded_and_the_oldest_goes_first():
    client, warnings, began, go = Away(), [], threading.Event(), threading.Event()

    def slow():
        began.set()
        go.wait()

    with Telemetry("run a", warnings.append, most_records=5, most_bytes=100) as telemetry:
        telemetry.put("metrics", slow)
        assert began.wait(10)
        for number in range(10):
            telemetry.put("metrics", lambda number=number: client.write(number))
        for number in range(3):
            telemetry.put("pictures", lambda number=number: client.write(f"picture {number}"), 40)
        go.set()
    assert client.written == ["picture 1", "picture 2"]
    assert warnings == [
        "10 metrics, 1 pictures of run a could not be written to MLflow (too much was waiting) and are lost; "
        "the work itself is not concerned"
    ]


def test_a_call_that_does_not_return_is_not_waited_for_for_ever():
    warnings, go = [], threading.Event()
    with Telemetry("run a", warnings.append, last_seconds=0.1) as telemetry:
        telemetry.put("metrics", go.wait)
        telemetry.put("metrics", go.wait)
    go.set()
    assert len(warnings) == 1
    assert warnings[0].startswith("2 metrics of run a could not be written to MLflow (")


def test_the_error_of_the_work_is_the_one_that_is_seen():
    client = Away()
    client.away.set()

    def work():
        with Telemetry("run a", lambda sentence: None, last_seconds=0.1) as telemetry:
            telemetry.put("metrics", lambda: client.write(1))
            raise RuntimeError("the work")

    with pytest.raises(RuntimeError, match="the work"):
        work()


def test_a_warning_that_cannot_be_shown_ends_nothing():
    client = Away()
    client.away.set()

    def broken(sentence):
        client.away.clear()
        raise OSError("no terminal")

    with Telemetry("run a", broken, first_pause=0.01) as telemetry:
        telemetry.put("metrics", lambda: client.write(1))
    assert client.written == [1]
