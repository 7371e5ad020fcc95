"""The channel: what the processes of a training say, until the driver collects it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import ray

from gan.text.shown import reason_of
from tasks.runtime.beside import beside
from tasks.train.worker_log import WorkerLog

if TYPE_CHECKING:
    from gan.training.context import Progress

POLL_SECONDS = 0.5
ANSWER_SECONDS = 10.0
"""After which the end of a training is looked at again: where the cluster is gone nothing answers any more."""
LAST_TRIES = 2


@dataclass(frozen=True)
class Scoring:
    """How far the score of a checkpoint is.

    Attributes:
        scored_nimg: images that the checkpoint has seen.
        passed: images that the feature network has seen for it.
        to_pass: how many it will see.
    """

    scored_nimg: int
    passed: int
    to_pass: int


@ray.remote(num_cpus=0)
class Channel:
    """Holds what is said until the driver collects it; never more than a few records. Tells workers to leave.

    A record is a `Progress`, a `Scoring` or a `WorkerLog` as a dict, or {"warning": sentence}.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.listens, self.asked, self.left = False, asyncio.Event(), asyncio.Event()

    async def put(self, record: dict[str, Any]) -> None:
        """Add a record."""
        self.records.append(record)

    async def leave(self) -> None:
        """Have the training write a checkpoint and leave, and answer when it has; at once where nothing trains yet."""
        self.asked.set()
        if self.listens:
            await self.left.wait()

    async def asked_to_leave(self) -> None:
        """Answer when the training is to leave."""
        self.listens = True
        await self.asked.wait()

    async def leaves(self) -> None:
        """Note that it has."""
        self.left.set()

    async def drain(self) -> list[dict[str, Any]]:
        """Return and forget all records."""
        records, self.records = self.records, []
        return records


def open_channel() -> Any:
    """Start a channel on the driver's own node: what it holds shall not be lost with another."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Channel.options(scheduling_strategy=here, max_restarts=-1, max_task_retries=-1).remote()  # type: ignore[attr-defined]


@contextmanager
def collecting(
    channel: Any,
    on_progress: Callable[["Progress"], None],
    on_warning: Callable[[str], None],
    on_scoring: Callable[[Scoring], None] = lambda scoring: None,
    on_log: Callable[[WorkerLog], None] = lambda log: None,
) -> Iterator[None]:
    """Hand the channel's records on from a thread while the block runs.

    What is handed on is told, never needed: a call that fails is a warning, once, and the records go on.

    Args:
        channel: the actor.
        on_progress: called with every progress record.
        on_warning: called with every sentence once.
        on_scoring: called with how far the score of a checkpoint is.
        on_log: called with what a worker wrote.
    """
    from gan.training.context import Progress  # not above: the actor's process would import torch for it

    warned: set[str] = set()

    def warn(sentence: str) -> None:
        if sentence not in warned:
            warned.add(sentence)
            on_warning(sentence)

    def hand_on(record: dict[str, Any]) -> None:
        if "scored_nimg" in record:
            on_scoring(Scoring(**record))
        elif "log_of" in record:
            on_log(WorkerLog(**record))
        elif "warning" in record:
            warn(record["warning"])
        else:
            on_progress(Progress(**record))

    def trying(act: Callable[[], Any]) -> Any:
        try:
            return act()
        except Exception as error:
            with suppress(Exception):
                warn(f"what the training told could not all be shown ({reason_of(error)}): it goes on all the same")

    asked: list[Any] = []  # what has not answered yet: what it holds would be lost if it were asked anew

    def answer() -> list[dict[str, Any]]:
        if not asked:
            asked.append(channel.drain.remote())
        answered, _ = ray.wait(asked, timeout=ANSWER_SECONDS)
        if not answered:
            return []
        found: list[dict[str, Any]] = ray.get(asked.pop())
        return found

    def collect() -> None:
        for record in trying(answer) or ():
            trying(partial(hand_on, record))

    def poll(done: threading.Event) -> None:
        while not done.wait(POLL_SECONDS):
            collect()
        for _ in range(LAST_TRIES):
            late = bool(asked)
            collect()
            if not late and not asked:
                break

    with beside("progress", poll):
        yield
