"""The step `train`: a checkpoint in an MLflow run."""

import tempfile
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from gan.config import Config
from gan.context import Progress
from gan.grids import grid_png
from gan.loop import SAMPLE_COLUMNS
from tasks import artifacts
from tasks.dataset import training_digests
from tasks.progress import progress
from tasks.settings import Settings
from tasks.steps.retry import worth_retrying
from tasks.tracking import RunLog, client, note_choice
from tasks.training import train_on_ray

# Beside a run: what a release is compared with to count copies, wherever and whenever it is drawn.
TRAINING_DIGESTS = "training_images.sha256"


class Trained(BaseModel):
    """What `train_generator` made: an MLflow run with the checkpoint as its artifact.

    Attributes:
        run_id: the MLflow run.
        cur_nimg: images that the checkpoint has seen.
        dataset_md5: what it was trained on.
        end_nimg: images that the run has seen: more, if an earlier checkpoint was better.
        kid: of the checkpoint, by which it was picked; None where the last was taken.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    cur_nimg: int
    dataset_md5: str
    end_nimg: int
    kid: float | None


class Line:
    """What the progress bar says: images seen, the last losses, and the last KID, which comes later than they do."""

    def __init__(self) -> None:
        self.reached = 0
        self.words = {"losses": "", "kid": ""}

    def after(self, record: Progress) -> tuple[int, str]:
        """Return the bar's place and note after one more record of metrics."""
        self.reached = max(self.reached, record.cur_nimg)
        if "kid" in record.metrics:
            self.words["kid"] = f"kid {record.metrics['kid']:.4f}"
        else:
            self.words["losses"] = "  ".join(f"{key} {record.metrics[key]:.3f}" for key in ("D_loss", "G_loss"))
        return self.reached, "  ".join(filter(None, self.words.values()))


@task(retries=1, retry_delay_seconds=5, retry_condition_fn=worth_retrying, cache_policy=NO_CACHE)
def train_generator(run_id: str, config: Config, header: dict[str, Any], workers: int) -> Trained:
    """Train on Ray and log to the MLflow run. Buys a retry, which goes on from the last checkpoint, and a picture."""
    settings, logger = Settings(), get_run_logger()
    log = RunLog(client(settings), run_id)
    dataset_md5 = header["dataset_md5"]
    log.text("\n".join(training_digests(settings, dataset_md5)) + "\n", TRAINING_DIGESTS)
    last_grid: list[bytes] = []
    line = Line()
    with progress("training", config.train.total_images, logger) as update:

        def show(record: Progress) -> None:
            if record.metrics:
                log.metrics(record.metrics, step=record.cur_nimg)
                update(*line.after(record))
            if record.samples is not None:
                last_grid[:] = [grid_png(record.samples, SAMPLE_COLUMNS)]
                log.bytes(last_grid[0], f"samples/samples-{record.cur_nimg:012d}.png")

        with tempfile.TemporaryDirectory(dir=settings.state_dir, prefix="checkpoint-") as folder:
            result = train_on_ray(
                config,
                header,
                settings,
                name=run_id,
                workers=workers,
                destination=Path(folder),
                on_progress=show,
                on_warning=logger.warning,
                on_choice=note_choice(log, logger),
            )
            log.folder(result.checkpoint, "checkpoint")
    if result.kid is not None:
        log.metrics({"best_nimg": result.cur_nimg, "best_kid": result.kid}, step=result.cur_nimg)
    if last_grid:
        artifacts.picture("training-samples", last_grid[0], f"G_ema after {result.end_nimg} images")
    return Trained(
        run_id=run_id,
        cur_nimg=result.cur_nimg,
        dataset_md5=dataset_md5,
        end_nimg=result.end_nimg,
        kid=result.kid,
    )
