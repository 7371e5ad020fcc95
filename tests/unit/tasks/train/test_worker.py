"""What a worker does before it trains, on a cluster: all ranks have the dataset, or none goes on."""

import pytest
import ray.train.collective
import torch

from gan.errors import DatasetError
from tasks.train import worker
from tasks.train.worker import WorkerPayload


class Context:
    """A rank of two; `failed` says whether the other one could not open the dataset."""

    device = torch.device("cpu")
    world_size = 2

    def __init__(self, failed):
        self.failed = failed
        self.sums = []

    def all_reduce(self, tensor):
        tensor += self.failed
        self.sums.append(tensor.item())

    def warn(self, sentence):
        raise AssertionError(sentence)


@pytest.fixture
def payload(monkeypatch):
    monkeypatch.setattr(ray.train.collective, "barrier", lambda: None)
    monkeypatch.setattr(worker, "this_node", lambda: "h (10.0.0.2)")
    return WorkerPayload({}, {"dataset_md5": "abc"}, None, None, "s3://bucket/runs", 1)


def test_a_rank_whose_node_has_the_dataset_goes_on_only_if_the_other_does(payload, monkeypatch):
    asked = []
    monkeypatch.setattr(worker, "node_version", lambda *place, **how: asked.append((place, how["host"])) or "data")
    assert worker._dataset(payload, Context(failed=0)) == "data"
    assert worker._dataset(payload, Context(failed=1)) is None
    assert asked == [(("s3://bucket/runs", "abc", "train"), "h (10.0.0.2)")] * 2


def test_a_rank_that_fails_tells_the_other_before_it_ends(payload, monkeypatch):
    def broken(*place, **how):
        raise DatasetError("on host h: it is broken")

    monkeypatch.setattr(worker, "node_version", broken)
    context = Context(failed=0)
    with pytest.raises(DatasetError, match="on host h: it is broken"):
        worker._dataset(payload, context)
    assert context.sums == [1.0]


def test_on_one_machine_the_home_is_read_and_nobody_is_waited_for(payload, monkeypatch):
    monkeypatch.setattr(worker, "load_version", lambda *place: place)
    monkeypatch.setattr(ray.train.collective, "barrier", lambda: pytest.fail("waited"))
    here = WorkerPayload({}, payload.header, "/home/data", "/home/cache", payload.storage, 1)
    assert [str(each) for each in worker._dataset(here, None)] == ["/home/data", "/home/cache", "abc"]
