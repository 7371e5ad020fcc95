"""A trial: a training of the project's own that Ray Tune goes through mark by mark, and may stop at one."""

import queue
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from ray import tune

from gan.errors import GanflowError
from gan.text.shown import reason_of

if TYPE_CHECKING:
    from gan.training.context import Progress
    from tasks.train.validator import OpenScore

LEAVING_SECONDS = 300.0
"""For a checkpoint and the score of it; what has not left by then goes with its processes."""
KID, KIMG, DONE = "kid", "kimg", "done"


class Mark(BaseModel):
    """The score of one checkpoint of a trial.

    Attributes:
        kimg: thousand images that it has seen.
        kid: lower is better.
        low: lower end of its 95 % interval; None where no interval is known.
        high: upper end.
    """

    model_config = ConfigDict(frozen=True)

    kimg: float
    kid: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class TrialPayload:
    """All that trials are told; plain values but for `open_score`.

    Attributes:
        headers: `Header.to_json` of each trial's checkpoints; the configuration is in it.
        settings: of the place, without secrets.
        names: of each trial's folder in the storage.
        cpus: that a trial may use; None: all of a node, for it is alone.
        folder: on the disk of the driver's node, for the checkpoints of those that came to their end.
        known: marks of trials that an earlier process came to the end of, by number.
        open_score: what scores checkpoints; None: KID.
    """

    headers: tuple[str, ...]
    settings: Mapping[str, Any]
    names: tuple[str, ...]
    cpus: int | None
    folder: str
    known: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict)
    open_score: "OpenScore | None" = None


class Trial(tune.Trainable):
    """Each step ends with the score of a checkpoint; the last with the end of the training, or why there is none."""

    def setup(self, config: dict[str, Any], payload: TrialPayload | None = None) -> None:
        """Begin the training, or go through the marks of one that was finished before."""
        assert payload is not None
        self.payload = payload
        self._begin(int(config["number"]))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin with another trial in this process: to start one takes seconds of a core."""
        self.cleanup()
        self._begin(int(new_config["number"]))
        return True

    def _begin(self, number: int) -> None:
        self.training = _Training(self.payload, number)
        known = self.payload.known.get(number)
        if known is None:
            self.training.start()
        for index, mark in enumerate(known or ()):
            self.training.results.put(mark | {DONE: index == len(known or ()) - 1})

    def step(self) -> dict[str, Any]:
        """Wait for the next mark."""
        return self.training.results.get()

    def cleanup(self) -> None:
        """Have a training that Ray Tune stops leave, and wait for that."""
        self.training.leave(LEAVING_SECONDS)


class _Training:
    """One trial's training, in a thread; what it says is its own, for it may outlive the wait for it.

    Args:
        payload: of all trials.
        number: of this one.

    Attributes:
        results: its marks, the last with its end.
    """

    def __init__(self, payload: TrialPayload, number: int) -> None:
        self.payload = payload
        self.number = number
        self.results: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._last: Mark | None = None  # at the end of the training: it waits for the checkpoint
        self._channel: Any = None
        self._thread = Thread(target=self._train, name=f"trial {number}", daemon=True)

    def start(self) -> None:
        """Begin it."""
        self._thread.start()

    def leave(self, seconds: float) -> None:
        """Have it leave as one does whose driver is asked to end, and wait for that.

        Its workers would else stay until the cluster ends, and keep their cores from the next trial.
        """
        if self._thread.is_alive() and self._channel is not None:
            # not waited for: a training that came to its end meanwhile, and waits for scores, never answers
            self._channel.leave.remote()
            self._thread.join(seconds)

    def _train(self) -> None:
        warnings: list[str] = []
        last = Mark(kimg=0.0, kid=float("inf"))
        try:  # all of it: who waits for a mark would wait for ever for that of a thread that died
            from gan.configuration.config import Config
            from gan.training.header import Header
            from tasks.runtime.settings import Settings
            from tasks.train.resources import WorkerRange
            from tasks.train.trainer import train_on_ray

            header = Header.parse(self.payload.headers[self.number], f"trial {self.number}")
            config = Config.model_validate(header.config)
            self.total_nimg = config.train.total_images
            result = train_on_ray(
                config,
                header,
                Settings(**self.payload.settings),
                name=self.payload.names[self.number],
                workers=WorkerRange(1, 1, self.payload.cpus),
                destination=Path(self.payload.folder, str(self.number)),
                on_progress=self._progress,
                on_warning=warnings.append,
                open_score=self.payload.open_score,
                gpu_to_score=self.payload.cpus is None,  # what is free now the workers of other trials come for
                on_channel=self._take_channel,
            )
        except GanflowError as error:
            self._end(last, failure=str(error))
        except Exception as error:
            self._end(last, failure=f"{type(error).__name__}: {reason_of(error)}")
        else:
            if result.kid is None:
                self._end(
                    last, failure=f"none of its checkpoints was scored: {'; '.join(warnings) or 'no reason told'}"
                )
            else:
                self._end(self._last or last, checkpoint=str(result.checkpoint), best=result.kid)

    def _take_channel(self, channel: Any) -> None:
        self._channel = channel

    def _progress(self, record: "Progress") -> None:
        if KID not in record.metrics:
            return
        found = record.metrics
        mark = Mark(kimg=record.cur_nimg / 1000, kid=found[KID], low=found.get("kid_low"), high=found.get("kid_high"))
        if record.cur_nimg >= self.total_nimg:
            self._last = mark
        else:
            self.results.put(mark.model_dump() | {DONE: False})

    def _end(self, mark: Mark, **facts: Any) -> None:
        self.results.put(mark.model_dump() | facts | {DONE: True})
