"""Releases that go: what lies of them in the home, when it may go, and in which order it does.

The registry says first that a release was removed, then its folder goes, then DVC's pointer. A kill leaves what stood
before or a pointer without a folder, which the next command removes. The record, the fingerprints of the images, and
the bytes in DVC's cache and remote stay.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import Timeout

from gan.errors import DatasetError
from gan.text.shown import reason_of
from tasks.dataset.session import tracked_md5
from tasks.dataset.untracking import untrack_release
from tasks.releases.states import ReleaseRecord, State, all_releases, mark_removed
from tasks.runtime.locks import alone_with
from tasks.runtime.settings import Settings

_FIRST = (State.QUARANTINED, State.RECALLED, State.PUBLISHED)


def is_plain(name: str) -> bool:
    """Whether a release may be called so: a plain folder name, whatever a registry says."""
    return bool(name) and name == Path(name).name and not name.startswith(".") and "\0" not in name


def folder_of(settings: Settings, record: ReleaseRecord) -> Path | None:
    """Return where a release lies, or lay, in this home; None where it has nothing of it, or other bytes."""
    if not is_plain(record.name):
        return None
    if record.state is State.QUARANTINED:
        apart = settings.quarantine_dir / record.name
        return apart if apart.is_dir() else None
    folder = settings.synthetic_dir / record.name
    try:
        md5 = tracked_md5(folder.with_name(f"{folder.name}.dvc"))
    except DatasetError:  # nobody knows whose it is
        return None
    return folder if md5 is not None and md5 == record.md5 else None


def superseded(records: Sequence[ReleaseRecord], keep: int, made: str) -> list[ReleaseRecord]:
    """Return what is older than the newest published ones, in the order in which it goes.

    Args:
        records: of what lies in the home, the newest first.
        keep: published ones that stay.
        made: name of the release that was just made, which stays whatever it is.
    """
    published = [
        place for place, record in enumerate(records) if record.state is State.PUBLISHED and record.removed is None
    ]
    if len(published) < keep:
        return []
    older = [record for record in records[published[keep - 1] + 1 :] if record.name != made]
    older.reverse()
    return sorted(older, key=lambda record: _FIRST.index(record.state))


def keep_newest(settings: Settings, keep: int, made: str, on_warning: Callable[[str], None]) -> tuple[str, ...]:
    """Remove the releases of the model that are older than the newest published ones of this home; return their names.

    Args:
        settings: of the home.
        keep: published ones that stay.
        made: name of the release that was just made, which stays whatever it is.
        on_warning: called with a sentence where one cannot be removed now; the next release tries again.
    """
    why = f"only the newest {f'{keep} published releases are' if keep > 1 else 'published release is'} kept"
    here = [record for record in all_releases(settings) if folder_of(settings, record)]
    removed = []
    for record in superseded(here, keep, made):
        try:
            remove_release(settings, record, why)
            removed.append(record.name)
        except Exception as error:  # the release that was asked for is there
            told = "somebody reads it" if isinstance(error, Timeout) else reason_of(error)
            on_warning(f"release {record.name} is older than the newest {keep}, and stays for now: {told}")
    return tuple(removed)


def remove_release(settings: Settings, record: ReleaseRecord, why: str) -> None:
    """Remove what this home has of a release, in quarantine or tracked.

    Args:
        settings: of the home.
        record: of the release.
        why: it goes, for the registry.

    Raises:
        filelock.Timeout: somebody reads it.
        GanflowError: DVC refuses, or MLflow is away.
    """
    folder = folder_of(settings, record)
    if folder is not None:
        _remove(settings, folder, record, why)


def remove_quarantined(settings: Settings, folder: Path, why: str) -> None:
    """Remove a release in quarantine, whether the registry knows it or not; errors as of `remove_release`."""
    known = (record for record in all_releases(settings) if record.state is State.QUARANTINED)
    _remove(settings, folder, next((record for record in known if record.name == folder.name), None), why)


def _remove(settings: Settings, folder: Path, record: ReleaseRecord | None, why: str) -> None:
    with alone_with(folder):
        if record is not None:
            mark_removed(settings, record, why)
        untrack_release(settings, folder)
