"""The history of the dataset: each ingest an MLflow run, each new version an event, even when a kill comes between.

`tasks.ingest.outbox` keeps what could not be sent; the next ingest delivers it, or `ganflow up` when it starts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.data.store.dataset import DatasetInfo, read_dataset_info
from gan.data.store.shards import read_split
from gan.generation.grids import class_grid_png
from gan.text.shown import reason_of
from tasks.dataset.repository import current_md5
from tasks.ingest import outbox
from tasks.runtime.events import send_event
from tasks.runtime.patience import patiently
from tasks.runtime.settings import Settings
from tasks.tracking.client import DATASETS, run

DATASET_VERSIONED = "dataset.versioned"
_TAGS = ("licence", "source_url", "credit")


@dataclass(frozen=True)
class IngestFiles:
    """What is kept of an ingest beside the dataset: rejects, the page about it, near duplicates, where they exist."""

    quarantine: Path
    report: Path
    near: Path


def deliver_outbox(settings: Settings, on_warning: Callable[[str], None]) -> str | None:
    """Announce and record the version that an earlier ingest made and could not say of.

    Returns:
        Its md5, or None where it is on record.

    Raises:
        ServiceError: MLflow does not answer.
    """
    announce(settings, on_warning)
    note, md5 = outbox.pending(settings), current_md5(settings)
    if note is None or not note.record or md5 is None:
        return None
    info = read_dataset_info(settings.data_dir)
    record(settings, md5, info, info.name, None)
    outbox.mark_delivered(settings, recorded=True)
    return md5


def announce(settings: Settings, on_warning: Callable[[str], None]) -> None:
    """Send the event that starts `retrain/on-new-data` if it is in the outbox; one that Prefect does not take stays."""
    note, md5 = outbox.pending(settings), current_md5(settings)
    if note is None or not note.announce or md5 is None:
        return
    try:
        info = read_dataset_info(settings.data_dir)
        payload = {"md5": md5, "num_train": info.num_train, "num_test": info.num_test}
        patiently(lambda: _send(note.event, md5, payload), "announcing the dataset", on_warning, tries=3)
    except Exception as error:
        on_warning(
            f"the event {DATASET_VERSIONED} could not be sent to Prefect ({reason_of(error)}): "
            "the next ingest or start of `ganflow up` sends it"
        )
    else:
        outbox.mark_delivered(settings, announced=True)


def _send(event_id: str, md5: str, payload: dict[str, Any]) -> None:
    resource = f"ganflow.dataset.{md5}"
    send_event(DATASET_VERSIONED, resource=resource, name=md5, payload=payload, event_id=event_id)


def record(settings: Settings, md5: str, info: DatasetInfo, source: str, files: IngestFiles | None) -> bytes:
    """Log a version as a run with its statistics, pointer, page and a grid of samples; return the grid."""
    png = _grid(settings.data_dir)
    tags = {"dataset_md5": md5, "source": source} | {key: text for key in _TAGS if (text := getattr(info, key))}
    with run(settings, DATASETS, md5[:12], tags) as log:
        log.metrics({"num_train": info.num_train, "num_test": info.num_test, "rejects": info.num_rejects}, step=0)
        log.bytes(png, "samples.png")
        log.file(settings.data_dir / "dataset.json")
        log.file(settings.home / "data.dvc")
        if files:
            log.file(files.report)
            log.file(files.quarantine)
            if files.near.exists():
                log.file(files.near)
    return png


def record_failure(settings: Settings, source: str, files: IngestFiles) -> None:
    """Log an ingest that was refused, so that its rejects can be looked at."""
    with run(settings, DATASETS, "refused", {"source": source, "refused": "true"}) as log:
        log.file(files.report)
        log.file(files.quarantine)


def _grid(data_dir: Path) -> bytes:
    images, labels = next(iter(read_split(data_dir, "train")))
    return class_grid_png(images, labels)
