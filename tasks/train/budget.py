"""A training's time: when it is over, the training leaves a checkpoint, from which it goes on another time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict

from gan.errors import BudgetSpentError
from tasks.runtime.beside import beside


class Paused(BaseModel):
    """What became of a training whose time was over.

    Attributes:
        paused: a sentence.
        run_id: the run that goes on where it is asked for again; None: none had begun.
        cur_nimg: images that its checkpoint has seen.
        total_nimg: images in the whole run.
    """

    model_config = ConfigDict(frozen=True)

    paused: str
    run_id: str | None = None
    cur_nimg: int = 0
    total_nimg: int = 0

    @classmethod
    def of(cls, error: BudgetSpentError) -> "Paused":
        """As an error tells it."""
        return cls(paused=str(error), run_id=error.run_id, cur_nimg=error.cur_nimg, total_nimg=error.total_nimg)

    def error(self) -> BudgetSpentError:
        """As an error, with which its MLflow run ends as one that was stopped."""
        return BudgetSpentError(self.paused, self.run_id or "", self.cur_nimg, self.total_nimg)


def deadline(minutes: float | None) -> float | None:
    """When time is over, by the monotonic clock; None: never."""
    return None if minutes is None else time.monotonic() + minutes * 60


def minutes_left(until: float | None) -> float | None:
    """Minutes until a deadline, 0 where it has passed; None: there is none."""
    return None if until is None else max(until - time.monotonic(), 0.0) / 60


@contextmanager
def leaving_at(until: float | None, channel: Any) -> Iterator[threading.Event]:
    """Ask the training of the block to leave a checkpoint at a time; yields what is set when it was asked to.

    Args:
        until: when, by the monotonic clock; None: never.
        channel: `tasks.train.channel.Channel`.
    """
    spent = threading.Event()

    def ask(over: threading.Event) -> None:
        if until is not None and not over.wait(max(until - time.monotonic(), 0.0)):
            spent.set()
            channel.leave.remote()

    with beside("budget", ask):
        yield spent
