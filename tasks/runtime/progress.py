"""Progress of long work: a bar on a terminal, a line in the log now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

AnyLogger = logging.Logger | logging.LoggerAdapter[logging.Logger]
"""Python's own, or Prefect's of a run."""
LOG_EVERY_SECONDS = 10.0
_LONG_SECONDS = 10.0
LOG_EVERY_SHARE = 0.02  # of the time so far: a day's work shall not fill the log


@dataclass(frozen=True)
class Position:
    """How far a piece of work is.

    Attributes:
        done: how many are done.
        total: how many in all; 0 where nobody knows.
        rate: how many a second; None while that is not known.
        unit: what is counted: `images`, `files` or `bytes`.
        note: a few words more.
        after: seconds that other pieces of the work will take behind this one.
    """

    done: int
    total: int
    rate: float | None
    unit: str
    note: str = ""
    after: float = 0.0

    @property
    def speed(self) -> str:
        """The rate in words."""
        if self.rate is None:
            return ""
        if self.unit == "bytes":
            return f"{self.rate / 1e6:,.1f} MB/s"
        return f"{self.rate:,.0f} {'img' if self.unit == 'images' else self.unit}/s"

    @property
    def left(self) -> str:
        """The time that is left, as in «0:02:36 left»."""
        if not self.rate or (self.done >= self.total and not self.after):
            return ""
        return f"{timedelta(seconds=round((self.total - self.done) / self.rate + self.after))} left"

    def sentence(self, description: str) -> str:
        """All of it in a line."""
        goal = f" of {self.total:,}" if self.total else ""
        words = ", ".join(filter(None, [f"{self.done:,}{goal} {self.unit}", self.speed, self.left]))
        return f"{description}: {words}" + (f" ({self.note})" if self.note else "")


class Pace:
    """How fast work goes, from the first position that it told: what an earlier process did counts for nothing.

    Work may begin slowly, so of long work the last half or more of the time counts.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.begun = 0.0
        self.marks: list[tuple[int, float]] = []  # from the first or the second on it is measured

    def at(self, done: int) -> float | None:
        """Return how many a second there were; None at the first call."""
        now = self.clock()
        if not self.marks:
            self.begun, self.marks = now, [(done, now)]
        elif now - self.begun >= max(_LONG_SECONDS, 2 * (self.marks[-1][1] - self.begun)):
            self.marks = [self.marks[-1], (done, now)]
        more, seconds = done - self.marks[0][0], now - self.marks[0][1]
        return more / seconds if more > 0 and seconds > 0 else None


class ProgressLog:
    """A log of places: a line every few seconds, ever less often as time goes by, and one at the end of long work.

    Args:
        logger: where lines go; None: nowhere.
        clock: seconds.
    """

    def __init__(self, logger: AnyLogger | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.logger = logger
        self.clock = clock
        self.begun = self.last = clock()
        self.ended = True  # nothing to end yet

    def show(self, description: str, position: Position) -> None:
        """Log a position if it is time for it."""
        now = self.clock()
        due = now - self.last >= max(LOG_EVERY_SECONDS, LOG_EVERY_SHARE * (now - self.begun))
        ends = position.done >= position.total > 0
        if self.logger and (due or (ends and not self.ended)):
            self.last, self.ended = now, ends
            self.logger.info("%s", position.sentence(description), extra={"is_progress": True})


class ProgressBar(Progress):
    """A bar with its note below: beside it, the figures of one would push those of the other off a narrow terminal."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, and the note if there is one."""
        yield self.make_tasks_table(self.tasks)
        yield from (Text(task.fields["note"]) for task in self.tasks if task.fields["note"])


class Reporter:
    """Tells how far a piece of work is, how fast it goes, and how long it will take.

    Args:
        description: what is done, as in «training».
        total: how many in all.
        unit: what is counted: `images`, `files` or `bytes`.
        show: called with the description and each position.
    """

    def __init__(self, description: str, total: int, unit: str, show: Callable[[str, Position], None]) -> None:
        self.unit = unit
        self.show = show
        self.begin(description, total)

    def begin(self, description: str, total: int, *, after: float = 0.0) -> None:
        """Go over to another piece of the work, which has a speed of its own.

        Args:
            description: what is done.
            total: how many in all.
            after: seconds that the pieces behind it will take.
        """
        self.description = description
        self.total = total
        self.after = after
        self.pace = Pace()

    def __call__(self, done: int, note: str = "", *, total: int | None = None, rate: float | None = None) -> None:
        """Show a position.

        Args:
            done: how many are done.
            note: a few words more.
            total: how many there are now; None: as before.
            rate: how many a second; None: as measured here.
        """
        self.total = self.total if total is None else total
        measured = self.pace.at(done)
        found = measured if rate is None else rate
        self.show(self.description, Position(done, self.total, found, self.unit, note, self.after))


@contextmanager
def progress(
    description: str, total: int, logger: AnyLogger | None = None, *, unit: str = "images"
) -> Iterator[Reporter]:
    """Show the progress of long work: as a bar on a terminal, else as lines in a log.

    Args:
        description: what is done, as in «training».
        total: how many in all.
        logger: where lines go when standard error is no terminal; silent there without one.
        unit: what is counted: `images`, `files` or `bytes`.
    """
    if not sys.stderr.isatty():
        yield Reporter(description, total, unit, ProgressLog(logger).show)
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:>11}"),
        TextColumn("{task.fields[left]}"),
    )
    with ProgressBar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total or None, note="", speed="", left="")

        def show(what: str, now: Position) -> None:
            bar.update(
                task,
                description=what,
                completed=now.done,
                total=now.total or None,
                note=now.note,
                speed=now.speed,
                left=now.left,
            )

        yield Reporter(description, total, unit, show)
