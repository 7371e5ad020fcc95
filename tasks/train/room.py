"""Whether a cluster still has room for the workers of a training, which is said while they wait for it."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from tasks.runtime.beside import beside
from tasks.runtime.ray_head import living_nodes
from tasks.train.resources import WorkerRange, room_for

LOOK_SECONDS = 5.0
Nodes = Sequence[Mapping[str, float]]


@contextmanager
def watching_room(
    nodes: Nodes, share: Mapping[str, int], workers: WorkerRange, on_warning: Callable[[str], None]
) -> Iterator[None]:
    """Say from a thread, while the block runs, that nodes are missing, and that they are back.

    Args:
        nodes: resources of each that is there now.
        share: of each worker, from `elastic_resources`.
        workers: how many are wanted.
        on_warning: called with a sentence at each change.
    """

    def watch(over: threading.Event) -> None:
        before = min(room_for(nodes, share), workers.most)
        while not over.wait(LOOK_SECONDS):
            with suppress(Exception):  # a head that does not answer ends the training elsewhere
                room = room_for(living_nodes(), share)
                if (now := min(room, workers.most)) != before:
                    on_warning(room_sentence(now, workers, gone=now < before))
                    before = now

    with beside("room", watch):
        yield


def room_sentence(room: int, workers: WorkerRange, *, gone: bool) -> str:
    """Say what a change of the room for workers means for the training."""
    there = f"the Ray cluster has room for {room} of {workers.most} workers"
    if not gone:
        return f"{there}: the training goes on from its last checkpoint with as many as there is room for"
    if room < workers.fewest:
        return f"{there}, because nodes are gone: the training waits for {workers.fewest}, start the nodes again"
    return f"{there}, because nodes are gone: the training goes on with these from its last checkpoint"
