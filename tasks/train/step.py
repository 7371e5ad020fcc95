"""The step `train`: a checkpoint in an MLflow run."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from gan.configuration.config import Config
from gan.errors import BudgetSpentError
from gan.generation.grids import film_strip, grid_png, read_grid_png
from gan.text.shown import reason_of
from gan.training.context import Progress
from gan.training.header import Header
from gan.training.state import SAMPLE_COLUMNS, sample_rows
from tasks.dataset.current import training_digests
from tasks.dataset.publishing import publish_version
from tasks.reports import artifacts
from tasks.reports.page import fitting_side, thumbnails
from tasks.runtime.patience import patiently
from tasks.runtime.progress import Reporter, progress
from tasks.runtime.retry import step
from tasks.runtime.scratch import local_scratch, scratch_folder
from tasks.runtime.settings import Settings
from tasks.tracking.client import RunLog, client
from tasks.tracking.telemetry import Telemetry
from tasks.train.budget import Paused
from tasks.train.channel import Scoring
from tasks.train.earlier import KID
from tasks.train.energy import ENERGY, ENERGY_OF, EnergyMeter
from tasks.train.log import SAMPLES, TrainingLog
from tasks.train.resources import WorkerRange
from tasks.train.trainer import train_on_ray

# Beside a run: what a release is compared with to count copies, wherever and whenever it is drawn.
TRAINING_DIGESTS = "training_images.sha256"
FILM = f"{SAMPLES}/film.png"
MARKS = 5  # over which the speed is averaged
_PICTURE_BYTES = 2_000_000  # on Prefect's page, before they are enlarged and packed


class Trained(BaseModel):
    """What `train_generator` made: an MLflow run with the checkpoint as its artifact.

    Attributes:
        run_id: the MLflow run.
        cur_nimg: images that the checkpoint has seen.
        dataset_md5: what it was trained on.
        end_nimg: images that the run has seen: more, if an earlier checkpoint was better.
        kid: of the checkpoint, by which it was picked; None where the last was taken.
        cost_per_kimg: what 1,000 training images cost, where `GANFLOW_PRICE_PER_HOUR` is set.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    cur_nimg: int
    dataset_md5: str
    end_nimg: int
    kid: float | None
    cost_per_kimg: float | None = None


class ProgressLine:
    """What the progress bar says: images seen, how fast, the last losses and sign of D, and the last KID.

    A record holds what there was to tell: losses and speed at every mark, a KID long after the losses beside it, the
    generator's loss only where it took a step. What a record lacks stays as it was.
    """

    def __init__(self) -> None:
        self.reached = 0
        self.seconds: list[float] = []  # an image took, at the last marks
        self.words: dict[str, str] = {}

    def after(self, record: Progress) -> tuple[int, str, float | None]:
        """Return images seen, the note, and images a second, after one more record."""
        found = record.metrics
        if rate := found.get("images_per_second", record.rate):
            self.reached = record.cur_nimg  # less than before where workers began again from a checkpoint
            self.seconds = [*self.seconds[1 - MARKS :], 1 / rate]
        self.reached = max(self.reached, record.cur_nimg)
        self.words |= {key: f"{key} {found[key]:.3f}" for key in ("D_loss", "G_loss") if key in found}
        if "D_sign" in found:
            self.words["D_sign"] = f"D_sign {found['D_sign']:+.2f}"
        if "kid" in found:
            self.words["kid"] = f"kid {found['kid']:.4f} at {record.cur_nimg:,}"
        order = ("D_loss", "G_loss", "D_sign", "kid")
        note = "  ".join(self.words[key] for key in order if key in self.words)
        return self.reached, note, len(self.seconds) / sum(self.seconds) if self.seconds else None


class TrainingReporter:
    """What a person sees of a training: its line and, once it has ended, how far the last scores are.

    Args:
        reporter: of the training.
        total_nimg: images in the whole run.
    """

    def __init__(self, reporter: Reporter, total_nimg: int) -> None:
        self.reporter = reporter
        self.total_nimg = total_nimg
        self.line = ProgressLine()
        self.scored_nimg: int | None = None  # of the checkpoint whose score is waited for

    def training(self, record: Progress) -> None:
        """Show a record of the loop, or a score that has come."""
        done, note, rate = self.line.after(record)
        if self.scored_nimg is None:
            self.reporter(done, note, rate=rate)

    def scoring(self, scoring: Scoring) -> None:
        """Show how far a score is, if nothing else is left to do."""
        if self.line.reached < self.total_nimg:
            return
        if scoring.scored_nimg != self.scored_nimg:
            self.scored_nimg = scoring.scored_nimg
            self.reporter.begin("scoring", scoring.to_pass)
        self.reporter(scoring.passed, f"the checkpoint at {scoring.scored_nimg:,} images")


@step(cache_policy=NO_CACHE)
def train_generator(
    run_id: str, config: Config, header: Header, workers: WorkerRange, until: float | None = None
) -> Trained | Paused:
    """Train on Ray and log to the MLflow run. Buys a retry, which goes on from the last checkpoint, and a picture.

    `until` is when the training leaves a checkpoint and pauses, by the monotonic clock.
    """
    settings, logger = Settings(), get_run_logger()
    log = RunLog(client(settings), run_id)
    if settings.on_cluster:
        publish_version(settings, header.dataset_md5, logger)
    log.text("\n".join(training_digests(settings, header.dataset_md5)) + "\n", TRAINING_DIGESTS)
    with (
        progress("training", config.train.total_images, logger) as reporter,
        scratch_folder(settings, "checkpoint") as folder,
        Telemetry(f"run {run_id}", logger.warning) as telemetry,
        EnergyMeter([] if settings.on_cluster else None) as energy,  # the counters of other machines are out of reach
    ):
        shown = TrainingReporter(reporter, config.train.total_images)
        training_log = TrainingLog(log, telemetry, shown.training, logger, settings.ganflow_price_per_hour)
        try:
            result = train_on_ray(
                config,
                header,
                settings,
                name=run_id,
                workers=workers,
                destination=folder / "checkpoint",
                on_progress=training_log.progress,
                on_warning=logger.warning,
                on_scoring=shown.scoring,
                on_log=training_log.output,
                until=until,
            )
        except BudgetSpentError as spent:
            return Paused.of(spent)
        patiently(lambda: log.folder(result.checkpoint, "checkpoint"), "storing the checkpoint", logger.warning)
        if energy.names:
            energy.look()
            training_log.metrics({ENERGY: energy.watt_hours}, result.end_nimg)
            telemetry.put("tags", lambda: log.tags({ENERGY_OF: ", ".join(energy.names)}))
        if result.kid is not None:
            training_log.metrics({"best_nimg": result.cur_nimg, KID: result.kid}, result.cur_nimg)
    try:
        show_snapshots(read_snapshots(log, config, header, logger.warning), log)
    except Exception as error:  # pictures of a training that is finished
        logger.warning("the film strip of run %s could not be made (%s): it is left out", run_id, reason_of(error))
    return Trained(
        run_id=run_id,
        cur_nimg=result.cur_nimg,
        dataset_md5=header.dataset_md5,
        end_nimg=result.end_nimg,
        kid=result.kid,
        cost_per_kimg=training_log.cost_per_kimg,
    )


def read_snapshots(
    log: RunLog, config: Config, header: Header, on_warning: Callable[[str], None]
) -> dict[int, np.ndarray]:
    """Read the sample grids of a run back, those logged before a resume too.

    Args:
        log: the run.
        config: its configuration.
        header: of its checkpoints.
        on_warning: called with a sentence for each grid that cannot be read, and is left out.

    Returns:
        By images seen, in that order: [N, H, W, C] uint8, a row of `SAMPLE_COLUMNS` for each of the first classes.
    """
    side = config.network.resolution
    shape = (sample_rows(header.num_classes) * SAMPLE_COLUMNS, side, side, header.channels)
    found = {}
    with local_scratch("samples") as folder:
        for path in sorted(each.path for each in log.client.list_artifacts(log.run_id, SAMPLES)):
            if not (name := re.fullmatch(rf"{SAMPLES}/samples-(\d+)\.png", path)):
                continue
            try:
                data = Path(log.client.download_artifacts(log.run_id, path, str(folder))).read_bytes()
                found[int(name[1])] = read_grid_png(data, shape, SAMPLE_COLUMNS)
            except Exception as error:  # each artifact store has errors of its own
                why = reason_of(error)
                on_warning(f"{path} of run {log.run_id} cannot be read ({why}): it is left out of the film strip")
    return found


def show_snapshots(snapshots: dict[int, np.ndarray], log: RunLog) -> None:
    """Log the film strip of a training, and show it and the last samples on Prefect's page."""
    if not snapshots:
        return
    seen, last = list(snapshots), list(snapshots.values())[-1]
    film = film_strip(list(snapshots.values()), SAMPLE_COLUMNS)
    columns, frames = film.shape[1], film.reshape(-1, *film.shape[2:])
    log.bytes(grid_png(frames, columns), FILM)
    artifacts.picture("training-samples", _on_a_page(last, SAMPLE_COLUMNS), f"G_ema after {seen[-1]:,} images")
    marks = ", ".join(f"{nimg:,}" for nimg in seen)
    artifacts.picture("training-film", _on_a_page(frames, columns), f"G_ema, from the top, after {marks} images")


def _on_a_page(images: np.ndarray, columns: int) -> bytes:
    side = fitting_side(images.shape[1], len(images) * images.shape[3], _PICTURE_BYTES)
    return grid_png(thumbnails(images, side), columns)
