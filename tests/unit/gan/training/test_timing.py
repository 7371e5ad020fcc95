"""What a worker says of where its time went, by a clock that moves when it is told to."""

import pytest
import torch

from gan.training.context import SingleWorker
from gan.training.timing import Timing

CPU = torch.device("cpu")


class Clock:
    def __init__(self):
        self.now = self.cpu = 0.0

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.cpu


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("gan.training.timing.time", clock)
    return clock


class Rank(SingleWorker):
    """A rank of several, whose sums are with a table that is given."""

    def __init__(self, rank, rows):
        super().__init__(CPU)
        self.rank, self.rows = rank, torch.tensor(rows, dtype=torch.float64)
        self.world_size = len(rows)

    def all_reduce(self, tensor, *, bf16=False):
        assert not tensor[[rank for rank in range(self.world_size) if rank != self.rank]].any()
        tensor += self.rows


def test_shares_and_cores_of_one_worker(clock):
    timing = Timing(SingleWorker(CPU))
    for _ in range(2):
        with timing.part("feed"):
            clock.now += 1
        clock.now += 3
    with timing.part("checkpoint"):
        clock.now += 2
    clock.cpu += 15
    assert timing.flush(100) == {"feed_share": 0.2, "checkpoint_share": 0.2, "cpu_cores": 1.5}
    clock.now += 4
    clock.cpu += 8
    assert timing.flush(100) == {"feed_share": 0.0, "checkpoint_share": 0.0, "cpu_cores": 2.0}, "since the last time"


def test_of_several_each_has_the_speed_that_it_has_while_it_waits_for_no_other(clock):
    context = Rank(1, [[0.5, 0.1, 0.3, 2.0, 0.0, 40.0], [0.0] * 6])
    timing = Timing(context)
    with timing.part("feed"):
        clock.now += 1
    clock.now += 9
    context.reduce_seconds += 2.0
    clock.cpu += 10
    found = timing.flush(400)
    assert found == pytest.approx(
        {
            "all_reduce_share": (0.5 + 0.2) / 2,
            "feed_share": 0.1,
            "checkpoint_share": 0.15,
            "cpu_cores": 3.0,
            "worker_0_images_per_second": 40.0,
            "worker_1_images_per_second": 50.0,
        }
    )


def test_of_very_many_the_slowest_is_named(clock):
    rows = [[0.0, 0.0, 0.0, 1.0, 0.0, 100.0 - rank] for rank in range(18)]
    rows[17] = [0.0] * 6
    timing = Timing(Rank(17, rows))
    clock.now += 10
    found = timing.flush(2000)
    assert (found["slowest_worker_images_per_second"], found["slowest_worker"]) == (84.0, 16.0)
    assert not any(key.startswith("worker_") for key in found)
