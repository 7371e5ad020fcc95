"""What becomes of a training's records: shown at once, and written to its MLflow run when that can be."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gan.generation.grids import grid_png
from gan.training.context import Progress
from gan.training.state import SAMPLE_COLUMNS
from tasks.tracking.client import RunLog
from tasks.tracking.telemetry import Telemetry
from tasks.train.worker_log import WorkerLog

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
        price_per_hour: of all machines that train, in whatever currency; None: costs are not counted.
    """

    def __init__(
        self,
        log: RunLog,
        telemetry: Telemetry,
        show: Callable[[Progress], None],
        logger: "Logger | LoggerAdapter[Logger]",
        price_per_hour: float | None = None,
    ) -> None:
        self.log = log
        self.telemetry = telemetry
        self.show = show
        self.logger = logger
        self.price_per_hour = price_per_hour
        self._images, self._seconds, self._marked_nimg = 0, 0.0, 0

    def progress(self, record: Progress) -> None:
        """Take a record of the loop, or a score."""
        if record.images:
            self.logger.info(record.images)
        if record.choice:
            self.choice(record.choice)
            self._marked_nimg = record.cur_nimg
        if record.metrics:
            self.metrics(record.metrics | self._cost(record), record.cur_nimg)
        if record.metrics or record.rate:
            self.show(record)
        if record.samples is not None:
            grid = grid_png(record.samples, SAMPLE_COLUMNS)
            name = f"{SAMPLES}/samples-{record.cur_nimg:012d}.png"
            self.telemetry.put("pictures", lambda: self.log.bytes(grid, name), len(grid))

    @property
    def cost_per_kimg(self) -> float | None:
        """What 1,000 training images cost on the mean, in the currency of the price; None where there is none."""
        if self.price_per_hour is None or not self._images:
            return None
        return self.price_per_hour * self._seconds / 3600 / (self._images / 1000)

    def _cost(self, record: Progress) -> dict[str, float]:
        rate = record.metrics.get("images_per_second")
        if rate is None or self.price_per_hour is None:
            return {}
        images, self._marked_nimg = record.cur_nimg - self._marked_nimg, record.cur_nimg
        self._images, self._seconds = self._images + images, self._seconds + images / rate
        return {"cost_per_kimg": self.price_per_hour / 3600 / rate * 1000}

    def output(self, log: WorkerLog) -> None:
        """Take what a worker wrote."""
        self.telemetry.put("logs", lambda: self.log.text(log.text, log.name), len(log.text))

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Take numbers at an image count."""
        now = time.time()
        self.telemetry.put("sets of metrics", lambda: self.log.metrics(values, step=step, at=now))

    def choice(self, choice: str) -> None:
        """Take how steps are computed: for the reader of the log, and as a tag of the run."""
        self.logger.info("steps run in %s", choice)
        self.telemetry.put("tags", lambda: self.log.tags({"choice": choice}))
