"""Whose images a version of the dataset holds, as its ingest recorded it; for cards of what was made of them."""

import contextlib

from gan.data.origin import Origin
from gan.data.store.dataset import INFO_FILE, DatasetInfo, read_dataset_info
from gan.errors import DatasetError, InputError
from gan.text.shown import inert
from tasks.dataset.repository import current_md5
from tasks.runtime.settings import Settings
from tasks.tracking.ingest_runs import IngestRun, ingest_runs
from tasks.tracking.runs import run_artifact

MOST_CHARACTERS = 1000  # of a tag; what was checked is no longer


class RecordedOrigin(Origin):
    """What is said of a version's images, and what it was read from; None where nobody recorded it.

    Attributes:
        name: of the source.
        source_kind: which sort of source it was.
    """

    name: str | None = None
    source_kind: str | None = None

    def tags(self) -> dict[str, str]:
        """Return what a version of a model carries of it in the registry, so that it is known where no ingest is."""
        told = {key: getattr(self, key) for key in ("licence", "source_url", "credit")}
        return {key: inert(text) for key, text in told.items() if text and len(text) <= MOST_CHARACTERS}


def recorded_origin(settings: Settings, md5: str) -> RecordedOrigin:
    """Return what a version's `dataset.json` says, which is the same wherever the version is.

    Where that names no licence, tags that a person set at an ingest of the version count.

    Raises:
        ServiceError: MLflow does not answer.
    """
    runs = [each for each in ingest_runs(settings) if each.md5 == md5]
    info = _recorded(settings, runs) or _current(settings, md5)
    told = info.origin if info else Origin()
    if told.licence is None:
        for each in runs:
            told = told.over(Origin(licence=each.licence, source_url=each.source_url, credit=each.credit))
    return RecordedOrigin(
        **told.model_dump(),
        name=info.name if info else next((each.source for each in runs if each.source), None),
        source_kind=info.source_kind if info else None,
    )


def _recorded(settings: Settings, runs: list[IngestRun]) -> DatasetInfo | None:
    for each in runs:
        try:
            return read_dataset_info(run_artifact(settings, each.run_id, INFO_FILE).parent)
        except InputError:  # it has none, or one of an older format
            continue
    return None


def _current(settings: Settings, md5: str) -> DatasetInfo | None:
    if current_md5(settings) == md5:
        with contextlib.suppress(DatasetError):
            return read_dataset_info(settings.data_dir)
    return None
