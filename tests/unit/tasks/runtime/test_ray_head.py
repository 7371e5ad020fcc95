"""A head that stalls, is gone, or is another one; what the real one does is in tests/e2e/test_head_lost.py."""

import threading
from types import SimpleNamespace

import pytest
from ray.core.generated.gcs_pb2 import GcsNodeInfo

from gan.errors import ServiceError
from tasks.runtime import ray_cluster, ray_head
from tasks.runtime.ray_cluster import in_a_thread
from tasks.runtime.ray_head import HeadWatch, living_nodes

SILENT = TimeoutError("Timed out while waiting for GCS to become available")
ANOTHER = ConnectionError("WrongClusterID: Perhaps the client is accessing GCS after it has restarted")


@pytest.fixture
def head(monkeypatch):
    """Answers with what it is given, in turn, and then always with the last."""

    def answering(*answers):
        left = list(answers)

        def answer(*_, timeout):
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            return found

        client = SimpleNamespace(internal_kv_get=answer, get_all_node_info=answer)
        monkeypatch.setattr(ray_head, "_client", lambda: client)

    return answering


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(ray_head.time, "monotonic", lambda: now.seconds)
    return now


def test_a_head_that_stalls_has_time_to_answer_again(head, clock):
    head(b"session", SILENT, b"session", SILENT)
    watch = HeadWatch()
    for seconds in (50, 100, 150, 200):
        clock.seconds = seconds
        watch.look()
    clock.seconds = 211
    with pytest.raises(
        ServiceError, match=r"^the head of the Ray cluster does not answer any more \(Timed out .*\): "
    ) as caught:
        watch.look()
    assert caught.value.transient


def test_another_head_in_its_place_is_not_waited_for(head, clock):
    head(ANOTHER)
    with pytest.raises(ServiceError, match=r"^the head of the Ray cluster was started anew: what ran on it is lost"):
        HeadWatch().look()


def test_where_nothing_is_asked_nothing_is_missed(monkeypatch):
    monkeypatch.setattr(ray_head, "_client", lambda: None)
    HeadWatch().look(patience=0)


def test_work_that_waits_for_ever_is_left_when_the_head_is_gone(head, monkeypatch):
    head(ANOTHER)
    monkeypatch.setattr(ray_cluster, "LOOK_SECONDS", 0.01)
    over = threading.Event()
    with pytest.raises(ServiceError, match="started anew"):
        in_a_thread(over.wait)
    over.set()


def test_the_head_that_is_gone_is_named_and_not_what_failed_for_it(head):
    head(SILENT)
    with pytest.raises(ServiceError, match="does not answer any more"):
        in_a_thread(lambda: int("bug"))


def test_nodes_that_live_are_told_by_their_resources(head):
    nodes = [GcsNodeInfo(state=state, resources_total={"CPU": 2.0}) for state in (GcsNodeInfo.ALIVE, GcsNodeInfo.DEAD)]
    head(dict(enumerate(nodes)))
    assert living_nodes() == [{"CPU": 2.0}]
