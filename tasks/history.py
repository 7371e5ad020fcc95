"""The history of the dataset: each ingest an MLflow run, each new version an event, even when a kill comes between.

A note beside the locks says what is still owed; the next ingest pays it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from prefect.events import emit_event

from gan.data.dataset import DatasetInfo, read_dataset_info
from gan.data.shards import read_split
from gan.grids import class_grid_png
from tasks.dvc_repo import current_md5
from tasks.settings import Settings
from tasks.tracking import DATASETS, run

DATASET_VERSIONED = "dataset.versioned"
_OWED = "ingest-owed.json"


@dataclass(frozen=True)
class Files:
    """What is kept of an ingest beside the dataset: the list of rejects and the page about it, where they exist."""

    quarantine: Path
    report: Path


def owe(settings: Settings, *, announce: bool) -> None:
    """Note, before a version is made, that it has to be recorded and perhaps announced."""
    _write(settings, {"before": current_md5(settings), "announce": announce})


def announced(settings: Settings) -> None:
    """Note that the event is out."""
    owed = _read(settings)
    if owed is not None:
        _write(settings, {**owed, "announce": False})


def settled(settings: Settings) -> None:
    """Note that nothing is owed."""
    (settings.state_dir / _OWED).unlink(missing_ok=True)


def settle(settings: Settings) -> str | None:
    """Announce and record the version that a killed ingest made and said nothing of.

    Returns:
        Its md5, or None where nothing was owed.
    """
    owed = _read(settings)
    md5 = current_md5(settings) if owed else None
    if owed is None or md5 is None or md5 == owed["before"]:
        settled(settings)
        return None
    info = read_dataset_info(settings.data_dir)
    if owed["announce"]:
        announce(md5, info)
        announced(settings)
    record(settings, md5, info, info.name, None)
    settled(settings)
    return md5


def announce(md5: str, info: DatasetInfo) -> None:
    """Emit the event by which `retrain/on-new-data` starts."""
    emit_event(
        DATASET_VERSIONED,
        resource={"prefect.resource.id": f"ganflow.dataset.{md5}", "prefect.resource.name": md5},
        payload={"md5": md5, "num_train": info.num_train, "num_test": info.num_test},
    )


def record(settings: Settings, md5: str, info: DatasetInfo, source: str, files: Files | None) -> bytes:
    """Log a version as a run with its statistics, pointer, page and a grid of samples; return the grid."""
    png = _grid(settings.data_dir)
    with run(settings, DATASETS, md5[:12], {"dataset_md5": md5, "source": source}) as log:
        log.metrics({"num_train": info.num_train, "num_test": info.num_test, "rejects": info.num_rejects}, step=0)
        log.bytes(png, "samples.png")
        log.file(settings.data_dir / "dataset.json")
        log.file(settings.home / "data.dvc")
        if files:
            log.file(files.report)
            log.file(files.quarantine)
    return png


def record_failure(settings: Settings, source: str, files: Files) -> None:
    """Log an ingest that was refused, so that its rejects can be looked at."""
    with run(settings, DATASETS, "refused", {"source": source, "refused": "true"}) as log:
        log.file(files.report)
        log.file(files.quarantine)


def _grid(data_dir: Path) -> bytes:
    images, labels = next(iter(read_split(data_dir, "train")))
    return class_grid_png(images, labels)


def _read(settings: Settings) -> dict[str, object] | None:
    try:
        owed = json.loads((settings.state_dir / _OWED).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return owed if isinstance(owed, dict) and {"before", "announce"} <= owed.keys() else None


def _write(settings: Settings, owed: dict[str, object]) -> None:
    path = settings.state_dir / _OWED
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(owed), "utf-8")
    os.replace(partial, path)
