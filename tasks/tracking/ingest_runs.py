"""The ingests that MLflow has on record, and a copy of that list for as long as MLflow's database is the same file.

Importing MLflow's client and opening its store takes seconds, and the list is needed for every question about versions.
The copy holds nothing that MLflow has not said, and is safe to delete.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from gan.data.files.atomic import write_whole
from tasks.runtime.settings import Settings
from tasks.tracking.client import DATASETS, SQLITE, client

if TYPE_CHECKING:
    from mlflow.entities import Run

_FILE = "ingests.json"
_HEADER_BYTES = 100
_PAGE = 1000


class IngestRun(BaseModel):
    """A finished run of `ganflow-datasets`; `started` is in milliseconds since 1970, UTC.

    `licence`, `source_url` and `credit` are those of the version's `dataset.json`; for one that says none, a person may
    set these tags.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    md5: str
    started: int
    num_train: int | None
    num_test: int | None
    source: str | None
    licence: str | None
    source_url: str | None
    credit: str | None


class _Copy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    address: str
    state: list[str]
    runs: list[IngestRun]


def ingest_runs(settings: Settings) -> list[IngestRun]:
    """Every finished ingest, newest first.

    Raises:
        ServiceError: no MLflow server answers, or the database cannot be used.
    """
    address, file = settings.tracking_uri, settings.cache_dir / _FILE
    if settings.mlflow_tracking_uri is None and not Path(address.removeprefix(SQLITE)).exists():
        return []  # nothing has been recorded in this home yet
    state = _database_state(address)  # before it is read: a change in between makes the copy an old one
    if not state:
        return list(_asked(settings))
    try:
        copy = _Copy.model_validate_json(file.read_bytes())
        if (copy.address, copy.state) == (address, state):
            return copy.runs
    except (OSError, ValidationError):
        pass
    copy = _Copy(address=address, state=state, runs=list(_asked(settings)))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, copy.model_dump_json())
    return copy.runs


def _database_state(address: str) -> list[str]:
    """What tells an SQLite file from itself after any transaction; empty for other addresses.

    The header holds a counter of transactions (https://www.sqlite.org/fileformat.html, 1.3.7). With a write-ahead log
    that counter stands still, and it is the log beside the file that changes.
    """
    path = Path(address.removeprefix(SQLITE))
    if not address.startswith(SQLITE) or not path.is_file():
        return []
    found = []
    for each in (path, path.with_name(f"{path.name}-wal")):
        try:
            with each.open("rb") as file:
                facts = os.fstat(file.fileno())
                found.append(f"{facts.st_ino} {facts.st_size} {facts.st_mtime_ns} {file.read(_HEADER_BYTES).hex()}")
        except OSError:
            found.append("")
    return found


def _asked(settings: Settings) -> Iterator[IngestRun]:
    mlflow_client = client(settings)
    experiment = mlflow_client.get_experiment_by_name(DATASETS)
    token = None
    while experiment is not None:
        page = mlflow_client.search_runs(
            [experiment.experiment_id],
            "attributes.status = 'FINISHED'",
            max_results=_PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        yield from (_record(run) for run in page if "dataset_md5" in run.data.tags)
        token = page.token
        if not token:
            return


def _record(run: "Run") -> IngestRun:
    numbers = {key: run.data.metrics.get(key) for key in ("num_train", "num_test")}
    return IngestRun(
        run_id=run.info.run_id,
        md5=run.data.tags["dataset_md5"],
        started=run.info.start_time,
        **{key: run.data.tags.get(key) for key in ("source", "licence", "source_url", "credit")},
        **{key: int(value) if value is not None and math.isfinite(value) else None for key, value in numbers.items()},
    )
