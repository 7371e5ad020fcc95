"""The turn of a retraining: one at a time trains for a registered model, whatever its machine, home and deployment.

All that homes of one registry share is its MLflow, so they queue there: each retraining is a run of
`ganflow-retrainings`. The order of the queue is by the clocks of many machines, so it only says who tries first. Who
has the turn is decided without a clock: one says that it asks and only then looks at the others, so of two that ask at
once at least one sees the other.
"""

import contextlib
import platform
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan.text.shown import reason_of
from tasks.runtime.beside import beside
from tasks.runtime.patience import patiently
from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.tracking.client import PROCESS, RETRAININGS, RunLog, create_run, ending, experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 120.0
"""A heart of another machine that has not beaten for so long, by the clock of who waits for it, is dead."""
LOOK_SECONDS = 3.0
MODEL, HOST, STATE, BEATS = "model", "host", "state", "beats"
WAITS, ASKS, HAS = "waits", "asks", "has the turn"


@dataclass(frozen=True)
class Queued:
    """A retraining that has begun and not ended.

    Attributes:
        place: in the queue; the least is the first.
        state: `WAITS`, `ASKS` or `HAS`.
        beats: how often its heart has beaten.
        process: whose it is; None: that cannot be read.
        host: name of its machine, for people.
    """

    place: tuple[int, str]
    state: str
    beats: str
    process: ProcessName | None
    host: str

    @classmethod
    def of(cls, run: "Run") -> "Queued":
        """Read a run."""
        tags = run.data.tags
        process = ProcessName.parse(tags.get(PROCESS, ""))
        place = (int(run.info.start_time or 0), str(run.info.run_id))
        return cls(place, tags.get(STATE, WAITS), tags.get(BEATS, ""), process, tags.get(HOST, ""))

    @property
    def run_id(self) -> str:
        """Its run."""
        return self.place[1]

    def __str__(self) -> str:
        """Name it as a sentence does."""
        who = f"process {self.process.pid}" if self.process else "a process"
        return f"{who} on {reason_of(self.host, 80)} (run {self.run_id} of {RETRAININGS})"


@contextlib.contextmanager
def turn(settings: Settings, say: Callable[[str], None], warn: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other retraining of this model is before this one, and keep the others waiting within the block.

    A killed process of this machine lets go at once, one of another machine after `STALE_SECONDS`.

    Args:
        settings: name the MLflow server and the model.
        say: called with a sentence for each process that is waited for.
        warn: called with a sentence where MLflow is away and is asked again, or another does not wait for this one.

    Raises:
        ServiceError: MLflow does not answer.
    """
    tags = {MODEL: settings.model, HOST: platform.node(), STATE: WAITS, BEATS: "0"}
    log = create_run(settings, RETRAININGS, settings.model, tags)
    with ending(log), beside("turn", lambda over: _beat(log, over, warn)):
        queue = _Queue(settings, log, say)
        while not patiently(queue.advance, "waiting for the turn", warn):
            time.sleep(LOOK_SECONDS)
        yield


class _Queue:
    """One retraining's way to its turn.

    Args:
        settings: name the model.
        log: its own run.
        say: called with a sentence for each process that is waited for.
    """

    def __init__(self, settings: Settings, log: RunLog, say: Callable[[str], None]) -> None:
        self.model, self.log, self.say = settings.model, log, say
        self.experiment = experiment_id(log.client, settings, RETRAININGS)
        self.asked = False
        self.said: set[str] = set()
        self.seen: dict[str, tuple[str, float]] = {}  # by run: beats, and since when, by this process's clock

    def advance(self) -> bool:
        """Take a step, and return whether this one has the turn."""
        if self.asked:  # the step before did not come to its end: who asks and looks no further would stop the others
            self._is(WAITS)
            self.asked = False
        own, others = self._look()
        before = [each for each in others if each.state == HAS or each.place < own]
        if before:
            self._wait_for(before)
            return False
        self.asked = True
        self._is(ASKS)
        free = self._is_free()
        self._is(HAS if free else WAITS)
        self.asked = False
        return free

    def _is_free(self) -> bool:
        """Whether the turn, which this one asks for, is nobody else's."""
        while True:
            own, others = self._look()
            if any(each.state == HAS or (each.state == ASKS and each.place < own) for each in others):
                return False
            if all(each.state != ASKS for each in others):
                return True
            time.sleep(LOOK_SECONDS / 10)  # one that is behind this one gives way, or has looked before and was faster

    def _is(self, state: str) -> None:
        self.log.tags({STATE: state})

    def _wait_for(self, others: list[Queued]) -> None:
        first = min(others, key=lambda each: (each.state != HAS, each.place))
        if first.run_id not in self.said:
            self.said.add(first.run_id)
            self.say(f"another retraining of {self.model} is before this one, and is waited for: {first}")

    def _look(self) -> tuple[tuple[int, str], list[Queued]]:
        """Return the own place and the others that live; the runs of the dead are ended."""
        own: tuple[int, str] | None = None
        others: list[Queued] = []
        for run in _running(self.log.client, self.experiment):
            found = Queued.of(run)
            if found.run_id == self.log.run_id:
                own = found.place
            elif run.data.tags.get(MODEL) == self.model:
                if self._is_dead(found):
                    self.log.client.set_terminated(found.run_id, "KILLED")
                else:
                    others.append(found)
        if own is None:  # it was taken for dead, and nobody would see it
            self.log.client.update_run(self.log.run_id, status="RUNNING")
            return self._look()
        return own, others

    def _is_dead(self, found: Queued) -> bool:
        if found.process is not None and found.process.is_dead:
            return True
        now = time.monotonic()
        beats, since = self.seen.get(found.run_id, ("", now))
        if beats != found.beats or found.run_id not in self.seen:
            self.seen[found.run_id] = (found.beats, now)
            return False
        return now - since > STALE_SECONDS


def _running(mlflow_client: "MlflowClient", experiment: str) -> "Iterator[Run]":
    token = None
    while True:
        found = mlflow_client.search_runs([experiment], "attributes.status = 'RUNNING'", page_token=token)
        yield from found
        if not (token := found.token):
            return


def _beat(log: RunLog, over: threading.Event, warn: Callable[[str], None]) -> None:
    """Write the counter again and again; an MLflow that is away is waited for."""
    beats = 0
    while not over.wait(HEARTBEAT_SECONDS):
        beats += 1
        with contextlib.suppress(Exception):
            if log.client.get_run(log.run_id).info.status != "RUNNING":
                log.client.update_run(log.run_id, status="RUNNING")
                warn("no sign of life came from this retraining for so long that another does not wait for it")
            log.tags({BEATS: str(beats)})
