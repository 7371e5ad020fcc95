"""Progress of long work: a bar on a terminal, a line in the log every few seconds elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LOG_EVERY_SECONDS = 10.0


@contextmanager
def progress(description: str, total: int, logger: logging.Logger | None = None) -> Iterator[Callable[..., None]]:
    """Show how far a piece of work is.

    Args:
        description: what is done, as in «training».
        total: images in all.
        logger: where lines go when standard error is no terminal; silent there without one.

    Yields:
        `update(done, note="")`: images done so far, and a few words behind the bar.
    """
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>11}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(description, total=total, note="", rate="")
            started = time.monotonic()

            def show(done: int, note: str = "") -> None:
                rate = done / max(time.monotonic() - started, 1e-9)
                bar.update(task, completed=done, note=note, rate=f"{rate:,.0f} img/s")

            yield show
        return
    last = time.monotonic()

    def log(done: int, note: str = "") -> None:
        nonlocal last
        if logger and time.monotonic() - last >= LOG_EVERY_SECONDS:
            last = time.monotonic()
            logger.info("%s: %d of %d images%s", description, done, total, f" ({note})" if note else "")

    yield log
