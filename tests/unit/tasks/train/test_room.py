"""What a person is told when nodes go and come."""

import threading

from tasks.train import room
from tasks.train.resources import WorkerRange
from tasks.train.room import room_sentence, watching_room


def test_each_change_is_told_once(monkeypatch):
    node = {"CPU": 1.0}
    seen, told, done = iter([[node, node], [node], [node], [node, node]]), [], threading.Event()

    def nodes():
        found = next(seen, None)
        if found is None:
            done.set()
            raise ConnectionError
        return found

    monkeypatch.setattr(room, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(room, "living_nodes", nodes)
    with watching_room([node, node], {"CPU": 1, "GPU": 0}, WorkerRange(2, 2), told.append):
        assert done.wait(30)
    assert told == [
        "the Ray cluster has room for 1 of 2 workers, because nodes are gone: "
        "the training waits for 2, start the nodes again",
        "the Ray cluster has room for 2 of 2 workers: "
        "the training goes on from its last checkpoint with as many as there is room for",
    ]


def test_a_training_that_begins_with_fewer_than_it_may_have_has_lost_none(monkeypatch):
    node, told, looks = {"CPU": 1.0}, [], iter(range(3))
    done = threading.Event()

    def nodes():
        if next(looks, None) is None:
            done.set()
        return [node, node]

    monkeypatch.setattr(room, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(room, "living_nodes", nodes)
    with watching_room([node, node], {"CPU": 1, "GPU": 0}, WorkerRange(1, 4), told.append):
        assert done.wait(30)
    assert told == []


def test_an_elastic_training_goes_on_with_fewer():
    assert room_sentence(1, WorkerRange(1, 2), gone=True).endswith("goes on with these from its last checkpoint")
