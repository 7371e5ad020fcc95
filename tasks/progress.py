"""Progress of long work: a bar on a terminal, a line in the log every few seconds elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LOG_EVERY_SECONDS = 10.0


@contextmanager
def progress(
    description: str, total: int, logger: logging.Logger | None = None, *, unit: str = "images"
) -> Iterator[Callable[..., None]]:
    """Show how far a piece of work is.

    Args:
        description: what is done, as in «training».
        total: how many in all.
        logger: where lines go when standard error is no terminal; silent there without one.
        unit: what is counted: `images` or `bytes`.

    Yields:
        `update(done, note="", total=None)`: how many are done, a few words behind the bar, and how many there are now.
    """
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(),
            DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>11}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(description, total=total, note="", rate="")
            started = time.monotonic()

            def show(done: int, note: str = "", total: int | None = None) -> None:
                rate = done / max(time.monotonic() - started, 1e-9)
                text = f"{rate / 1e6:,.1f} MB/s" if unit == "bytes" else f"{rate:,.0f} img/s"
                bar.update(task, completed=done, note=note, rate=text, total=total)

            yield show
        return
    last, whole = time.monotonic(), total

    def log(done: int, note: str = "", total: int | None = None) -> None:
        nonlocal last
        if logger and time.monotonic() - last >= LOG_EVERY_SECONDS:
            last = time.monotonic()
            logger.info("%s: %d of %d %s%s", description, done, total or whole, unit, f" ({note})" if note else "")

    yield log
