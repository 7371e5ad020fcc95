"""One ingest from source to version: what is finished survives a kill, what is refused leaves everything as it was."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import Timeout

from gan.configuration.config import DataConfig
from gan.data.building.build import Built, RunJobs, build_dataset
from gan.data.origin import Origin
from gan.data.records import Source
from gan.data.sources.spec import SourceSpec
from gan.data.store.dataset import INFO_FILE, read_dataset_info
from gan.errors import DatasetError, ResourcesError, ServiceError
from tasks.dataset.repository import DatasetVersion, current_md5, ensure_data, recover, version_dataset
from tasks.ingest import ledger, outbox
from tasks.ingest.credentials import find_authorization
from tasks.ingest.described import describe_dataset
from tasks.ingest.on_ray import job_runner
from tasks.ingest.opening import open_showing
from tasks.runtime.failures import explained
from tasks.runtime.locks import hold_lock, reading
from tasks.runtime.progress import AnyLogger, progress
from tasks.runtime.settings import Settings

INGEST_LOCK = "ingest.lock"


@dataclass(frozen=True, eq=False)
class IngestResult:
    """What `ingest_dataset` did.

    Attributes:
        built: the dataset.
        version: its version.
        source: what it is called after.
        change: a sentence on the version before, or nothing.
        kept: fields of the images' origin that were said of the version before and not now.
    """

    built: Built
    version: DatasetVersion
    source: str
    change: str
    kept: tuple[str, ...] = ()


def files_of(settings: Settings) -> ledger.IngestFiles:
    """Return where the list of rejects, the page and the near duplicates of the last ingest lie."""
    folder = settings.state_dir / "ingest-report"
    return ledger.IngestFiles(folder / "quarantine.jsonl", folder / "report.html", folder / "near-duplicates.jsonl")


def ingest_dataset(
    settings: Settings,
    spec: SourceSpec,
    config: DataConfig,
    logger: AnyLogger,
    *,
    announce: bool,
    source_secret: str | None = None,
    origin: Origin | None = None,
) -> IngestResult:
    """Read a source and make it the current version; announce it, if it is a new one.

    Finished parts, and what was fetched or unpacked, wait in the state folder until this succeeds. `source_secret`
    names the Secret block with the credential of a URL's server. What `origin` leaves unsaid stays as it was said of
    the version before, if that was of the same source.

    Raises:
        DatasetError: the source or too many of its files cannot be used; the dataset stays as it was.
        ResourcesError: the disk is full, or workers died; the dataset stays as it was.
    """
    work = settings.state_dir / "ingest"
    authorization = find_authorization(settings, spec.spec, source_secret)
    recover(settings)
    if (made_before := ledger.deliver_outbox(settings, logger.warning)) is not None:
        logger.info("an ingest ended before it could record dataset %s: done now", made_before)
    # The processes that read images start while the source is listed; a release that is the source stays meanwhile.
    with _disk_full_as_sentence(settings), reading(Path(spec.spec)), job_runner(settings) as run_jobs:
        source = open_showing(spec, work / "files", authorization, logger)
        staged = work / "data"
        shutil.rmtree(staged, ignore_errors=True)
        with contextlib.suppress(
            DatasetError, ServiceError
        ):  # never ingested, or its images are out of reach: begin anew
            ensure_data(settings)
        earlier = settings.data_dir if (settings.data_dir / INFO_FILE).exists() else None
        before = _sizes(settings)
        told, stands = origin or Origin(), _standing_origin(settings, source)
        # Few sources know whose images they are.
        whole = told.over(stands.over(getattr(source, "origin", Origin())))
        built = _build(settings, source, config, staged, earlier, whole, run_jobs, logger)
        describe_dataset(staged, earlier)
        outbox.put(settings, announce=announce)
        version = version_dataset(settings, staged)
    ledger.announce(settings, logger.warning)
    if version.md5 == made_before:
        # Made by an earlier try of this very ingest, which could not say so.
        version = replace(version, changed=True)
    if version.push_error:
        logger.warning(version.push_error)
    shutil.rmtree(work, ignore_errors=True)
    change = f"The version before, {before}." if before and version.changed else ""
    return IngestResult(built, version, source.name, change, told.kept(stands))


@contextlib.contextmanager
def one_ingest_at_a_time(settings: Settings, logger: AnyLogger) -> Iterator[None]:
    """Wait until no other ingest works in this home."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(settings.state_dir / INGEST_LOCK, timeout=0))
        except Timeout:
            logger.warning("another ingest is at work in %s: waiting for it", settings.home)
            stack.enter_context(hold_lock(settings.state_dir / INGEST_LOCK))
        yield


def _sizes(settings: Settings) -> str:
    with contextlib.suppress(DatasetError):
        info = read_dataset_info(settings.data_dir)
        return f"{current_md5(settings)}, had {info.num_train} images to train on and {info.num_test} held out"
    return ""


def _standing_origin(settings: Settings, source: Source) -> Origin:
    """What the version before says of the same source: of another's images it would be untrue."""
    with contextlib.suppress(DatasetError):
        info = read_dataset_info(settings.data_dir)
        if (info.name, info.source_kind) == (source.name, source.kind):
            return info.origin
    return Origin()


def _build(
    settings: Settings,
    source: Source,
    config: DataConfig,
    staged: Path,
    earlier: Path | None,
    origin: Origin,
    run_jobs: RunJobs,
    logger: AnyLogger,
) -> Built:
    quarantine = files_of(settings).quarantine
    quarantine.unlink(missing_ok=True)
    with progress("ingesting", len(source), logger) as update:
        built = build_dataset(
            source,
            config,
            staged,
            work=settings.state_dir / "ingest" / "parts",
            quarantine=quarantine,
            previous=earlier,
            origin=origin,
            run_jobs=run_jobs,
            on_progress=lambda done, total: update(done, total=total),
        )
    if built.reused:
        logger.info("%d of %d images had been read before the last ingest ended", built.reused, len(source))
    return built


@contextlib.contextmanager
def _disk_full_as_sentence(settings: Settings) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        md5 = current_md5(settings)
        kept = f"dataset {md5} is as it was" if md5 else "there is no dataset yet"
        told = explained(error, settings.home, kept)
        if told is error or not isinstance(told, ResourcesError):
            raise
        raise told from error
