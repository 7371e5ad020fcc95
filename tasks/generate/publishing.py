"""What becomes of a release that is made: tracked, recorded and announced, or kept apart with the reasons.

Its record in MLflow is what makes a release one. What fails before leaves no folder, no pointer and no name behind: the
release is unfinished again, and the same command goes on from its shards.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gan.data.files.atomic import write_whole
from gan.errors import ReleaseRefusedError
from gan.text.shown import inert
from tasks.champion.store import read_history
from tasks.dataset.repository import track_release
from tasks.dataset.session import locked
from tasks.generate.names import fingerprints_of
from tasks.generate.partial import forget_partial, is_unfinished, take_back
from tasks.generate.release import Release
from tasks.releases.states import STATE, State, recall_releases, release_of_run
from tasks.releases.step import RECALLED_EVENT, announce
from tasks.reports import artifacts
from tasks.reports.release_page import release_html
from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, run
from tasks.tracking.inputs import log_model_input, version_model_id
from tasks.tracking.versions import RegisteredModel, find_model

PUBLISHED_EVENT, QUARANTINED_EVENT = "release.published", "release.quarantined"
PAGE = "release.html"
_MOST_WORDS = 2000  # in a tag, of quotas by class for instance; the manifest has all


class Released(BaseModel):
    """What `draw_release` made.

    Attributes:
        name: of the release.
        path: its folder.
        md5: DVC's name of its bytes.
        num_images: in it.
        model_version: that they were drawn from.
        first_seed: of the first image.
        existed: it was complete before, and was checked instead of drawn.
        licence: of the images that the model was trained on, as an SPDX expression; None where nobody said it.
        signed_by: fingerprint of the key that signed; None without one.
        push_error: why the release is not in DVC's remote; None where it is.
        unchecked: what was not looked at, and why.
        removed: names of older releases that went, because only so many are kept.
        hub: where it lies on the Hugging Face hub; None where it was not pushed there.
        hub_commit: that it is there.
        hub_error: why it could not be pushed there, and what to do.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    md5: str
    num_images: int
    model_version: int
    first_seed: int
    existed: bool
    licence: str | None = None
    signed_by: str | None = None
    push_error: str | None = None
    unchecked: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    hub: str | None = None
    hub_commit: str | None = None
    hub_error: str | None = None


def publish(
    settings: Settings, model: RegisteredModel, release: Release, on_warning: Callable[[str], None]
) -> Released:
    """Track a release with DVC, push it, record it in MLflow, and tell whoever listens.

    Raises:
        ModelNotFoundError: the version was deleted meanwhile.
        GanflowError: DVC refuses, or MLflow is away.
    """
    name = release.folder.name
    with _whole_or_unfinished(settings, release):
        find_model(settings, str(model.version))  # else bytes that nobody will name are pushed
        md5, push_error = track_release(settings, release.folder)
        if push_error:
            on_warning(push_error)
        run_id = log_release(settings, model, release, md5)
    # looked at last: whoever withdraws it later finds the release
    withdrawn = model.version in read_history(settings).withdrawn
    if withdrawn:
        recall_releases(settings, model.version, "it was drawn from a version that had been withdrawn")
        on_warning(f"version {model.version} was withdrawn, so release {name} is recalled: see `ganflow history`")
    announce(RECALLED_EVENT if withdrawn else PUBLISHED_EVENT, release_of_run(settings, run_id))
    _show(release)
    return Released(
        name=name,
        path=str(release.folder),
        md5=md5,
        num_images=release.manifest["generation"]["num_images"],
        model_version=model.version,
        first_seed=release.manifest["generation"]["first_seed"],
        existed=release.existed,
        licence=(release.manifest.get("dataset") or {}).get("licence"),
        signed_by=release.manifest.get("signed_by"),
        push_error=push_error,
        unchecked=tuple(release.manifest.get("unchecked") or ()),
    )


def refuse(settings: Settings, model: RegisteredModel, release: Release) -> ReleaseRefusedError:
    """Record a release that is not fit to be handed on; returns the sentence about it."""
    why = "; ".join(release.refused)
    state = {STATE: State.QUARANTINED, State.QUARANTINED.because: why}
    with _whole_or_unfinished(settings, release):
        run_id = log_release(settings, model, release, None, state)
    announce(QUARANTINED_EVENT, release_of_run(settings, run_id))
    _show(release)
    return ReleaseRefusedError(
        f"release {release.folder.name} is not fit to be handed on and lies in {release.folder}: {why}"
    )


@contextlib.contextmanager
def _whole_or_unfinished(settings: Settings, release: Release) -> Iterator[None]:
    """Record a release within the block; what ends the block early leaves an unfinished one, if it is a new one."""
    folder, pointer = release.folder, pointer_of(release)
    before = pointer.read_bytes() if pointer.exists() else None
    try:
        yield
    except BaseException:
        if is_unfinished(settings, folder.name):
            with locked(settings):
                write_whole(pointer, before) if before else pointer.unlink(missing_ok=True)
            fingerprints_of(settings, folder.name).unlink(missing_ok=True)
            take_back(settings, folder)
        raise
    forget_partial(settings, folder.name)


def log_release(
    settings: Settings, model: RegisteredModel, release: Release, md5: str | None, state: dict[str, str] | None = None
) -> str:
    """Record a release as a run of `ganflow-releases`, whose tags say what it was drawn from and with; return its id.

    Args:
        settings: where MLflow is.
        model: that it was drawn from.
        release: as it was made.
        md5: DVC's name of its bytes; None of one that is not tracked.
        state: tags of one that is not published.
    """
    generation = release.manifest["generation"]
    tags = {
        "release": release.folder.name,
        "num_images": str(generation["num_images"]),
        "first_seed": str(generation["first_seed"]),
        "model": model.name,
        "model_version": str(model.version),
        "training_run": model.run_id,
        "dataset_md5": model.dataset_md5,
        "configuration": release.manifest.get("configuration", "")[:_MOST_WORDS],
        **({"truncation": str(generation["truncation"])} if "truncation" in generation else {}),
        **({"release_md5": md5} if md5 else {}),
        **{key: inert(text)[:_MOST_WORDS] for key, text in (state or {}).items()},
    }
    model_id = version_model_id(settings, model.version)
    with run(settings, RELEASES, release.folder.name, tags) as log:
        log_model_input(log, model_id)
        log.file(release.folder / "manifest.json")
        log.file(release.folder / "samples.png")
        log.text(page_of(release), PAGE)
        if md5:
            log.file(pointer_of(release))
    return log.run_id


def pointer_of(release: Release) -> Path:
    """Where DVC says which bytes a release's folder holds."""
    return release.folder.with_name(f"{release.folder.name}.dvc")


def page_of(release: Release) -> str:
    """Return the page about a release."""
    pairs = release.judgement.pairs if release.judgement else ()
    return release_html(release.manifest, (release.folder / "samples.png").read_bytes(), pairs, release.refused)


def _show(release: Release) -> None:
    name, checks = release.folder.name, release.manifest.get("checks") or []
    artifacts.picture("release-samples", (release.folder / "samples.png").read_bytes(), f"release {name}")
    if checks:
        rows = [
            {
                "check": each["check"],
                "outcome": "passed" if each["passed"] else "failed",
                "what was found": each["said"],
            }
            for each in checks
        ]
        artifacts.table("release-checks", rows, f"what was looked at in release {name}")
