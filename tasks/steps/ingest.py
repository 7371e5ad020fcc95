"""The step `ingest`: a source becomes the current dataset version."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from pydantic import BaseModel, ConfigDict

from gan.config import Config
from gan.data.dataset import build_dataset
from gan.data.shards import read_split
from gan.data.sources import open_source
from gan.errors import DatasetError
from gan.grids import class_grid_png
from tasks import artifacts
from tasks.dvc_repo import ensure_data, recover, version_dataset
from tasks.progress import progress
from tasks.settings import Settings
from tasks.steps.retry import worth_retrying
from tasks.tracking import DATASETS, run

DATASET_VERSIONED = "dataset.versioned"


class Ingested(BaseModel):
    """What `ingest_source` did; `push_error` is a sentence where the remote failed."""

    model_config = ConfigDict(frozen=True)

    md5: str
    changed: bool
    num_train: int
    num_test: int
    classes: int
    rejects: int
    push_error: str | None


@task(retries=1, retry_delay_seconds=5, retry_condition_fn=worth_retrying, cache_policy=NO_CACHE)
def ingest_source(source: str, config: Config, announce: bool) -> Ingested:
    """Build a dataset from a source, make it the current version, announce it. Buys a retry and two artifacts."""
    settings, logger = Settings(), get_run_logger()
    recover(settings)
    opened = open_source(source)
    scratch = Path(tempfile.mkdtemp(dir=settings.state_dir, prefix="ingest-"))
    try:
        with progress("ingesting", len(opened), logger) as update:
            with contextlib.suppress(DatasetError):  # never ingested, or its images are out of reach: begin anew
                ensure_data(settings)
            earlier = settings.data_dir if (settings.data_dir / "dataset.json").exists() else None
            info = build_dataset(
                opened, config.data, scratch / "data", previous=earlier, on_progress=lambda done, _: update(done)
            )
        version = version_dataset(settings, scratch / "data")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if version.changed and announce:
        # At once: a retry of what follows would find the dataset unchanged.
        emit_event(
            DATASET_VERSIONED,
            resource={"prefect.resource.id": f"ganflow.dataset.{version.md5}", "prefect.resource.name": version.md5},
            payload={"md5": version.md5, "num_train": info.num_train, "num_test": info.num_test},
        )
    if version.push_error:
        logger.warning(version.push_error)
    png = _dataset_grid(settings.data_dir)
    with run(settings, DATASETS, version.md5[:12], {"dataset_md5": version.md5, "source": opened.name}) as log:
        log.metrics({"num_train": info.num_train, "num_test": info.num_test, "rejects": info.num_rejects}, step=0)
        log.bytes(png, "samples.png")
        log.file(settings.data_dir / "dataset.json")
        log.file(settings.home / "data.dvc")
    artifacts.dataset_table(info, version.md5)
    artifacts.picture("dataset-samples", png, f"the first images of dataset {version.md5}")
    return Ingested(
        md5=version.md5,
        changed=version.changed,
        num_train=info.num_train,
        num_test=info.num_test,
        classes=info.num_classes,
        rejects=info.num_rejects,
        push_error=version.push_error,
    )


def _dataset_grid(data_dir: Path) -> bytes:
    images, labels = next(iter(read_split(data_dir, "train")))
    return class_grid_png(images, labels)
