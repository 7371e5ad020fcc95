"""Where a worker has the dataset from: the home on one machine, the storage by way of its node's cache on a cluster."""

from types import SimpleNamespace

import pytest
import ray
import ray.train.collective
from ray.exceptions import RaySystemError

from gan.errors import DatasetError
from gan.training.context import Notice
from tasks.train import worker
from tasks.train.worker import WorkerPayload

TWO = SimpleNamespace(world_size=2, warn=print)


@pytest.fixture
def payload():
    return WorkerPayload({}, data_dir=None, cache_dir=None, storage="s3://bucket/runs", cpus=1)


@pytest.fixture
def done(monkeypatch):
    """What was done, in order."""
    done = []
    monkeypatch.setattr(worker, "this_node", lambda: "h (10.0.0.2)")
    monkeypatch.setattr(worker, "node_version", lambda *place, **how: done.append((*place, how["host"])) or "data")
    monkeypatch.setattr(worker, "load_version", lambda *place: done.append(tuple(map(str, place))) or "data")
    monkeypatch.setattr(ray.train.collective, "barrier", lambda: done.append("waited"))
    return done


def test_on_a_cluster_the_node_has_it_and_the_others_are_waited_for(payload, done):
    assert worker._dataset(payload, "abc", TWO) == "data"
    assert done == [("s3://bucket/runs", "abc", "train", "h (10.0.0.2)"), "waited"]


def test_a_node_that_cannot_have_it_ends_at_once(payload, done, monkeypatch):
    def broken(*place, **how):
        raise DatasetError("on host h: it is broken")

    monkeypatch.setattr(worker, "node_version", broken)
    with pytest.raises(DatasetError, match="on host h: it is broken"):
        worker._dataset(payload, "abc", TWO)
    assert done == []


def test_on_one_machine_the_home_is_read_and_nobody_is_waited_for(done):
    here = WorkerPayload({}, data_dir="/home/data", cache_dir="/home/cache", storage="/home/runs", cpus=1)
    assert worker._dataset(here, "abc", TWO) == "data"
    assert done == [("/home/data", "/home/cache", "abc")]


@pytest.mark.parametrize("answers", [True, False], ids=["is told", "cannot be asked"])
def test_a_worker_leaves_only_when_it_is_told_to(monkeypatch, answers):
    asked = []

    def get(reference):
        if not answers:
            raise RaySystemError("the channel is away")

    monkeypatch.setattr(ray, "wait", lambda references, timeout: (references, []))
    monkeypatch.setattr(ray, "get", get)
    channel = SimpleNamespace(asked_to_leave=SimpleNamespace(remote=lambda: asked.append("asked") or "reference"))
    context = SimpleNamespace(rank=0, channel=channel, _asked=None)
    looks = [worker.RayContext._is_asked_to_leave(context) for _ in range(2)]
    assert looks == [answers, answers]
    assert len(asked) == (1 if answers else 2)


@pytest.mark.parametrize(("world_size", "looks"), [(1, 3), (2, 5)], ids=["alone", "of several"])
def test_a_worker_that_is_alone_looks_for_a_notice_now_and_then(monkeypatch, world_size, looks):
    half = worker.LISTEN_SECONDS / 2
    clock = iter([100.0, 100.0 + half, 100.0 + 2 * half, 100.0 + 3 * half, 100.0 + 4 * half])
    monkeypatch.setattr(worker.time, "monotonic", lambda: next(clock))
    asked = []
    context = SimpleNamespace(
        world_size=world_size,
        device="cpu",
        _listened_at=0.0,
        _node_is_taken=lambda: asked.append("node") or False,
        _is_asked_to_leave=lambda: False,
        all_reduce=lambda tensor: None,
    )
    assert [worker.RayContext.notice(context) for _ in range(5)] == [Notice.NONE] * 5
    assert len(asked) == looks
