"""Seconds of training: over several starts of one run, and without those that compiling takes."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from gan.training.checkpoint import Snapshot
from gan.training.context import LocalContext, Notice, Progress
from quality.kept import read_json, write_json


class Clock:
    """Counts seconds by images seen, and keeps them beside the checkpoints.

    What a killed run did after its last checkpoint is done again and so counts once. Where a start compiles steps or
    looks for kernels, images up to its first record count as if they had been as fast as those after them.

    Attributes:
        starts: that came as far as a checkpoint.

    Args:
        path: where they are kept.
        prepared: whether a run's first steps take longer for that.
        now: seconds from any moment on.
    """

    def __init__(self, path: Path, *, prepared: bool, now: Callable[[], float] = time.perf_counter) -> None:
        self.path = path
        self.prepared = prepared
        self.now = now
        found = read_json(path) or {"starts": 0, "seconds": {}}
        self.starts: int = found["starts"]
        self._kept = {int(cur_nimg): seconds for cur_nimg, seconds in found["seconds"].items()}
        self._began = self._warm = (0, 0.0)
        self._counted = True

    def start(self, cur_nimg: int) -> None:
        """Begin to count, where a run has `cur_nimg` images behind it."""
        self._began = self._warm = (cur_nimg, self.now())
        self._counted = False

    def record(self, cur_nimg: int) -> None:
        """Take note of a record of progress."""
        if self.prepared and self._warm == self._began:
            self._warm = (cur_nimg, self.now())

    def seconds(self, cur_nimg: int) -> float:
        """Return the seconds of training up to now, at `cur_nimg` images."""
        (began, since), (warm, later) = self._began, self._warm
        if began < warm < cur_nimg:
            measured = (self.now() - later) * (cur_nimg - began) / (cur_nimg - warm)
        else:
            measured = self.now() - since
        return self._kept.get(began, 0.0) + measured

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count what is done meanwhile."""
        since = self.now()
        yield
        away = self.now() - since
        (began, at), (warm, later) = self._began, self._warm
        self._began, self._warm = (began, at + away), (warm, later + away)

    def keep(self, cur_nimg: int) -> None:
        """Keep the count for a checkpoint that is about to be written."""
        self._kept[cur_nimg] = self.seconds(cur_nimg)
        self.starts += not self._counted
        self._counted = True
        write_json(self.path, {"starts": self.starts, "seconds": self._kept})

    def at(self, cur_nimg: int) -> float:
        """Return the seconds that a checkpoint took."""
        return self._kept[cur_nimg]


@contextlib.contextmanager
def until_asked_to_end() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM end nothing at once; yields what says whether it has come."""
    asked = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


class TimedContext(LocalContext):
    """A run in this process whose seconds are counted, and which says how far it is.

    Args:
        folder: where checkpoints go, and the count beside them.
        clock: that counts.
        say: told a line of progress with every record.
        device: where to train.
        look: called with the images behind each checkpoint, and with what returns the newest.
        leave: whether the training shall keep a checkpoint and end, asked after every step.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        say: Callable[[str], None],
        device: torch.device,
        look: Callable[[int, Callable[[], Path]], None] | None = None,
        leave: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(folder, self._heard, device)
        self.look = look
        self.leave = leave
        self.clock = clock
        self.say = say

    def _heard(self, progress: Progress) -> None:
        if progress.choice:
            self.clock.start(progress.cur_nimg)
        elif progress.metrics:
            self.clock.record(progress.cur_nimg)
            rate = progress.metrics["images_per_second"]
            left = (progress.total_nimg - progress.cur_nimg) / rate
            self.say(f"{progress.cur_nimg:,} of {progress.total_nimg:,} images, {rate:,.0f} img/s, {left:,.0f} s left")

    def notice(self) -> Notice:
        """Whether the training shall go on."""
        return Notice.LEAVE if self.leave() else Notice.NONE

    def save_checkpoint(self, cur_nimg: int, snapshot: Snapshot) -> None:
        """Keep the count first: a checkpoint without one could not be gone on from."""
        self.clock.keep(cur_nimg)
        super().save_checkpoint(cur_nimg, snapshot)
        if self.look is not None and not self.leave():
            self.look(cur_nimg, self._newest)

    def _newest(self) -> Path:
        found = self.latest_checkpoint()
        assert found is not None  # it is called when one was written
        return found
