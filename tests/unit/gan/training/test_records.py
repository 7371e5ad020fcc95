"""What a training says of itself: when, and how it counts."""

import pytest
import torch

from gan.training.context import SingleWorker
from gan.training.records import Means, crossed, doubled

CPU = torch.device("cpu")


def test_between_two_marks_it_says_how_far_it_is(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("gan.training.records.TELL_SECONDS", 0.0)
    records = []
    tiny.run(tmp_path, tiny.config(train={"log_kimg": 0.032}), records=records)
    told = [record for record in records if record.rate]
    marks = [record.cur_nimg for record in records if "images_per_second" in record.metrics]
    assert all(record.rate > 0 and not record.metrics for record in told)
    assert {record.cur_nimg for record in told}.isdisjoint(marks)
    assert len(told) > len(marks)


def test_snapshots_come_at_powers_of_two_and_at_the_end(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("gan.training.records.FIRST_SNAPSHOT", 16)
    records = []
    tiny.run(tmp_path, tiny.config(train={"total_kimg": 0.07, "checkpoint_kimg": 1.0}), records=records)
    assert [record.cur_nimg for record in records if record.samples is not None] == [16, 32, 64, 72]


@pytest.mark.parametrize(
    ("cur_nimg", "batch_size", "every_kimg", "wanted"),
    [
        (8, 8, 0.016, False),
        (16, 8, 0.016, True),
        (24, 8, 0.016, False),
        (20, 8, 0.016, True),
        (64, 64, 0.001, True),
        (8, 8, 0.0001, True),
    ],
)
def test_crossed(cur_nimg, batch_size, every_kimg, wanted):
    assert crossed(cur_nimg, batch_size, every_kimg) is wanted


@pytest.mark.parametrize(
    ("cur_nimg", "batch_size", "wanted"),
    [
        (512, 64, False),
        (1000, 1000, False),
        (1023, 1, False),
        (1024, 1, True),
        (1024, 64, True),
        (1025, 1, False),
        (1088, 64, False),
        (2000, 2000, True),
        (2048, 64, True),
        (2049, 2, True),
        (2**40, 64, True),
        (2**40 + 64, 64, False),
    ],
)
def test_doubled(cur_nimg, batch_size, wanted):
    assert doubled(cur_nimg, batch_size) is wanted


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100])
def test_every_power_of_two_is_passed_once(batch_size):
    snapshots = [at for at in range(batch_size, 40_000, batch_size) if doubled(at, batch_size)]
    assert snapshots == [-(-(2**power) // batch_size) * batch_size for power in range(10, 16)]


def test_means_are_over_all_images_of_all_workers_since_the_last_flush():
    class TwoWorkers(SingleWorker):
        def all_reduce(self, tensor):
            tensor.mul_(2)

    means, taken, skipped = Means(), torch.tensor(False), torch.tensor(True)
    means.add({"a": torch.tensor(3.0), "b": torch.tensor(1.0)}, 4, taken)
    means.add({"a": torch.tensor(5.0), "b": torch.tensor(1.0)}, 4, taken)
    assert means.flush(TwoWorkers(CPU)) == {"a": 2.0, "b": 0.5}
    means.add({"a": torch.tensor(1.0), "c": torch.tensor(6.0)}, 4, taken)
    means.add({"a": torch.tensor(1.0)}, 4, taken)
    means.add({"a": torch.tensor(0.0)}, 4, skipped)
    # a term that only some steps have is a mean over those, and a step that was not taken counts for none
    assert means.flush(TwoWorkers(CPU)) == {"a": 0.5, "c": 3.0}
    means.add({"a": torch.tensor(0.0)}, 4, skipped)
    assert means.flush(TwoWorkers(CPU)) == {"a": 0.0}
