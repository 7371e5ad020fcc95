"""Images that are read beside the step: the right ones, whatever was guessed, and no thread that stays."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
import torch

from gan.errors import ReadError
from gan.training.stores import MOST_AHEAD, READERS, Streamed

CPU = torch.device("cpu")
SIZE = 50
ORDER = torch.from_numpy(np.random.default_rng(1).permutation(SIZE))


class Source:
    """Images that say which row they are of, and what was asked for; `fail`: which rows cannot be read."""

    shape = (SIZE, 1, 1, 1)

    def __init__(self):
        self.asked, self.fail, self.closed = [], set(), False

    def read(self, rows, into):
        self.asked.append(rows.tolist())
        if self.fail & set(rows.tolist()):
            raise ReadError("a disk failed")
        into[:, 0, 0, 0] = torch.from_numpy(rows)

    def close(self):
        self.closed = True


def rows_of(start, stop):
    return ORDER[torch.arange(start, stop) % SIZE]


def threads():
    return [each.name for each in threading.enumerate() if each.name.startswith("training-images")]


@pytest.fixture
def opened():
    stores = []

    def open_store(batch_size=10, ahead_bytes=2**20):
        stores.append(Streamed(Source(), rows_of, device=CPU, batch_size=batch_size, ahead_bytes=ahead_bytes))
        return stores[-1]

    yield open_store
    for each in stores:
        each.close()
    assert threads() == []


def taken(store, start, stop):
    return store.take(start, stop, rows_of(start, stop)).reshape(-1).tolist()


def settle(store):
    """Wait until all that was begun is read."""
    for coming in list(store._coming.values()):
        coming.images.exception()


@pytest.mark.parametrize(("first", "last"), [(0, 10), (0, 4), (4, 10)])
def test_the_next_slices_are_read_before_they_are_asked_for(opened, first, last):
    store = opened()
    for step in range(12):
        start, stop = first + 10 * step, last + 10 * step
        assert taken(store, start, stop) == rows_of(start, stop).tolist()
        settle(store)
        ahead = [sorted(rows_of(start + 10 * k, stop + 10 * k).tolist()) for k in range(1, MOST_AHEAD + 1)]
        assert all(rows in store.source.asked for rows in ahead)
        assert len(store.source.asked) == 1 + step + MOST_AHEAD  # each is read once
    assert all(rows == sorted(rows) for rows in store.source.asked)


@pytest.mark.parametrize(("ahead_bytes", "batches"), [(0, 2), (49, 4), (10**9, MOST_AHEAD)])
def test_how_much_is_read_ahead_is_a_matter_of_bytes(opened, ahead_bytes, batches):
    store = opened(ahead_bytes=ahead_bytes)
    taken(store, 0, 10)
    assert len(store._coming) == batches


def test_any_batch_can_be_had_whatever_was_guessed(opened):
    store = opened()
    for start, stop in [(0, 10), (0, 10), (10, 20), (95, 96), (3, 45), (0, 200), (20, 30), (10, 20), (30, 30)]:
        assert taken(store, start, stop) == rows_of(start, stop).tolist()
        assert len(store._coming) <= MOST_AHEAD


def test_without_a_batch_size_nothing_is_read_that_was_not_asked_for(opened):
    store = opened(batch_size=None)
    taken(store, 0, 10)
    assert store._coming == {}
    assert len(store.source.asked) == 1


def test_buffers_are_used_again_and_a_batch_is_the_takers_own(opened):
    store = opened()
    first = store.take(0, 10, rows_of(0, 10))
    kept = first.clone()
    for start in range(10, 1000, 10):
        store.take(start, start + 10, rows_of(start, start + 10))
    assert torch.equal(first, kept)
    settle(store)
    assert len(store._buffers) + len(store._coming) <= MOST_AHEAD + READERS + 1


def test_an_error_of_a_thread_comes_out_at_the_step_that_needs_the_images(opened):
    store = opened(ahead_bytes=0)
    store.source.fail = {int(ORDER[25])}
    assert taken(store, 0, 10) == rows_of(0, 10).tolist()
    assert taken(store, 10, 20) == rows_of(10, 20).tolist()
    with pytest.raises(ReadError, match="a disk failed"):
        taken(store, 20, 30)
    store.source.fail = set()
    assert taken(store, 20, 30) == rows_of(20, 30).tolist()


def test_closing_drops_what_is_on_its_way_and_ends_the_threads(opened):
    store, go_on, reading = opened(), threading.Event(), threading.Semaphore(0)
    real = store.source.read

    def slow(rows, into):
        reading.release()
        go_on.wait()
        real(rows, into)

    taken(store, 0, 10)
    settle(store)
    store.source.read = slow
    store._look_ahead(1000, 1010)
    for _ in range(READERS):
        reading.acquire()
    waiting = list(store._coming.values())[-1].images
    closing = threading.Thread(target=store.close)
    closing.start()
    with pytest.raises(CancelledError):
        waiting.result()
    assert not store.source.closed  # never under a reader
    go_on.set()
    closing.join()
    assert store.source.closed
    assert threads() == []
    assert len(store.source.asked) == 1 + MOST_AHEAD + READERS


class Stream:
    """Stands for CUDA's streams and events, where there is no GPU: it writes down what is asked of them."""

    def __init__(self):
        self.calls = []

    def Event(self, blocking):
        assert blocking  # a thread that spins would take a core from the step
        return self

    def stream(self, stream):
        return self

    def __enter__(self):
        self.calls.append("enter")

    def __exit__(self, *_):
        self.calls.append("leave")

    def record(self, stream):
        assert stream is self
        self.calls.append("record")

    def synchronize(self):
        self.calls.append("wait")

    def current_stream(self, device):
        return "the step's"


def test_on_a_gpu_a_buffer_is_free_when_its_copy_has_arrived(opened, monkeypatch):
    store, stream, kept = opened(ahead_bytes=0), Stream(), []
    store._stream = stream
    for name in ("Event", "stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, getattr(stream, name))
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, by: kept.append((len(tensor), by)))
    for start in range(0, 500, 10):
        assert taken(store, start, start + 10) == rows_of(start, start + 10).tolist()
        settle(store)
    # the memory of each copy waits for the step's stream, and a buffer for its copy
    assert kept == [(10, "the step's")] * 50
    assert stream.calls.count("enter") == stream.calls.count("wait") == 52
    assert len(store._buffers) <= READERS


def test_without_any_image_nothing_is_read(opened):
    store = opened()
    assert store.take(5, 5, rows_of(5, 5)).shape == (0, 1, 1, 1)
    assert store.source.asked == []
