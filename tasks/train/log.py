"""What becomes of a training's records: shown at once, and written to its MLflow run when that can be."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gan.generation.grids import grid_png
from gan.training.context import Progress
from gan.training.state import SAMPLE_COLUMNS
from tasks.tracking.client import RunLog
from tasks.tracking.telemetry import Telemetry

if TYPE_CHECKING:
    from logging import Logger, LoggerAdapter

SAMPLES = "samples"


class TrainingLog:
    """Takes the records of a training.

    Args:
        log: the run.
        telemetry: what writes.
        show: called with each record that a person shall see.
        logger: of the step.
    """

    def __init__(
        self,
        log: RunLog,
        telemetry: Telemetry,
        show: Callable[[Progress], None],
        logger: "Logger | LoggerAdapter[Logger]",
    ) -> None:
        self.log = log
        self.telemetry = telemetry
        self.show = show
        self.logger = logger

    def progress(self, record: Progress) -> None:
        """Take a record of the loop, or a score."""
        if record.images:
            self.logger.info(record.images)
        if record.metrics:
            self.metrics(record.metrics, record.cur_nimg)
        if record.metrics or record.rate:
            self.show(record)
        if record.samples is not None:
            grid = grid_png(record.samples, SAMPLE_COLUMNS)
            name = f"{SAMPLES}/samples-{record.cur_nimg:012d}.png"
            self.telemetry.put("pictures", lambda: self.log.bytes(grid, name), len(grid))

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Take numbers at an image count."""
        now = time.time()
        self.telemetry.put("sets of metrics", lambda: self.log.metrics(values, step=step, at=now))

    def choice(self, choice: str) -> None:
        """Take how steps are computed: for the reader of the log, and as a tag of the run."""
        self.logger.info("steps run in %s", choice)
        self.telemetry.put("tags", lambda: self.log.tags({"choice": choice}))
