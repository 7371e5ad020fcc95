"""From a source to the current dataset version."""

from pathlib import PurePath

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from gan.configuration.config import DataConfig
from gan.data.building.file_counts import FileCounts
from gan.data.building.near import NearCounts
from gan.data.building.rejects import count_reasons
from gan.data.origin import Origin
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError
from gan.text.credentials import bare_address
from gan.text.shown import reason_of
from tasks.ingest import ledger, outbox
from tasks.ingest.near_report import write_pairs
from tasks.ingest.report import failure_html, report_html
from tasks.ingest.run import files_of, ingest_dataset, one_ingest_at_a_time
from tasks.reports import artifacts
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings


class Ingested(BaseModel):
    """What `ingest_source` did.

    Attributes:
        md5: the dataset's version.
        changed: whether it is a new one.
        num_train: images to train on.
        num_test: images held out.
        classes: how many classes.
        rejects: files that are not in the dataset.
        notes: what a person should know, such as classes left out.
        report: the page about this ingest.
        quarantine: the list of rejects.
        push_error: a sentence where the remote failed.
        origin: what stands in `dataset.json` of the images as a whole.
        kept: its fields that were not given now, and stand since the version before.
        files: what the files of the source are, where it is one of image files.
        near_duplicates: how many pairs of images are nearly equal; null where none were looked for.
    """

    model_config = ConfigDict(frozen=True)

    md5: str
    changed: bool
    num_train: int
    num_test: int
    classes: int
    rejects: int
    notes: tuple[str, ...]
    report: str
    quarantine: str
    push_error: str | None
    origin: Origin = Origin()
    kept: tuple[str, ...] = ()
    files: FileCounts | None = None
    near_duplicates: NearCounts | None = None


@step(cache_policy=NO_CACHE)
def ingest_source(
    spec: SourceSpec,
    config: DataConfig,
    announce: bool,
    source_secret: str | None = None,
    origin: Origin | None = None,
) -> Ingested:
    """Build a dataset from a source, make it the current version, announce it. Buys a retry and artifacts.

    `source_secret` names the Secret block with the credential of the source's server. What `origin` leaves unsaid
    stays as it was said of the version before.
    """
    settings, logger = Settings(), get_run_logger()
    with one_ingest_at_a_time(settings, logger):
        return _ingest(settings, spec, config, announce, source_secret, origin)


def _ingest(
    settings: Settings,
    spec: SourceSpec,
    config: DataConfig,
    announce: bool,
    source_secret: str | None,
    origin: Origin | None,
) -> Ingested:
    logger, files = get_run_logger(), files_of(settings)
    files.quarantine.unlink(missing_ok=True)
    files.near.unlink(missing_ok=True)
    try:
        done = ingest_dataset(
            settings, spec, config, logger, announce=announce, source_secret=source_secret, origin=origin
        )
    except DatasetError as error:
        if files.quarantine.exists():  # images were looked at, and too many refused
            try:
                _show_refusal(settings, spec, str(error), files)
            except Exception as other:
                logger.warning("the refusal could not be recorded (%s)", reason_of(other))
        raise
    version, info = done.version, done.built.info
    near = done.built.near
    if near and near.pairs:
        write_pairs(files.near, near)
    files.report.write_text(report_html(done.built, version.md5, files.quarantine, done.change), "utf-8")
    ledger.record(settings, version.md5, info, done.source, files)
    outbox.mark_delivered(settings, recorded=True)
    for note in done.built.notes:
        logger.info(note)
    artifacts.dataset(done.built, version.md5)
    artifacts.rejects(info.rejects, files.quarantine)
    return Ingested(
        md5=version.md5,
        changed=version.changed,
        num_train=info.num_train,
        num_test=info.num_test,
        classes=info.num_classes,
        rejects=info.num_rejects,
        notes=done.built.notes,
        report=str(files.report),
        quarantine=str(files.quarantine),
        push_error=version.push_error,
        origin=info.origin,
        kept=done.kept,
        files=done.built.files,
        near_duplicates=near.counts if near else None,
    )


def _show_refusal(settings: Settings, spec: SourceSpec, message: str, files: ledger.IngestFiles) -> None:
    name = PurePath(bare_address(spec.spec)).name
    files.report.write_text(failure_html(name, message, files.quarantine), "utf-8")
    ledger.record_failure(settings, name, files)
    artifacts.rejects(count_reasons(files.quarantine), files.quarantine)
