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
from tasks.tracking import RunLog, client
from tasks.training import train_on_ray

# Beside a run: what a release is compared with to count copies, wherever and whenever it is drawn.
TRAINING_DIGESTS = "training_images.sha256"


class Trained(BaseModel):
    """What `train_generator` made: an MLflow run with the checkpoint as its artifact."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    cur_nimg: int
    dataset_md5: str


@task(retries=1, retry_delay_seconds=5, retry_condition_fn=worth_retrying, cache_policy=NO_CACHE)
def train_generator(run_id: str, config: Config, header: dict[str, Any], workers: int) -> Trained:
    """Train on Ray and log to the MLflow run. Buys a retry, which goes on from the last checkpoint, and a picture."""
    settings, logger = Settings(), get_run_logger()
    log = RunLog(client(settings), run_id)
    dataset_md5 = header["dataset_md5"]
    log.text("\n".join(training_digests(settings, dataset_md5)) + "\n", TRAINING_DIGESTS)
    last_grid: list[bytes] = []
    with progress("training", config.train.total_images, logger) as update:

        def show(record: Progress) -> None:
            if record.metrics:
                log.metrics(record.metrics, step=record.cur_nimg)
                update(record.cur_nimg, "  ".join(f"{k} {record.metrics[k]:.3f}" for k in ("D_loss", "G_loss")))
            if record.samples is not None:
                last_grid[:] = [grid_png(record.samples, SAMPLE_COLUMNS)]
                log.bytes(last_grid[0], f"samples/samples-{record.cur_nimg:012d}.png")

        with tempfile.TemporaryDirectory(dir=settings.state_dir, prefix="checkpoint-") as folder:
            result = train_on_ray(
                config, header, settings, name=run_id, workers=workers, destination=Path(folder), on_progress=show
            )
            log.folder(result.checkpoint, "checkpoint")
    if last_grid:
        artifacts.picture("training-samples", last_grid[0], f"G_ema after {result.cur_nimg} images")
    return Trained(run_id=run_id, cur_nimg=result.cur_nimg, dataset_md5=dataset_md5)
