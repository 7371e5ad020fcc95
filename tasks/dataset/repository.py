"""DVC: the dataset and the releases as versions, one command at a time, and restored after a kill.

A new dataset is added to DVC while it lies in a staging folder, takes the place of `data/` by renaming, and counts from
the moment when `data.dvc` is replaced. An earlier version comes back the same way. What the staging folder still holds
says how far a killed command came.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gan.errors import DatasetError
from tasks.dataset.session import (
    cached_files,
    fetch,
    git_ignore,
    locked,
    open_repo,
    push,
    require_whole,
    restore,
    tracked_md5,
)
from tasks.runtime.settings import Settings

# Not inside .ganflow, which DVC is told to ignore and therefore refuses to add from.
STAGING = ".ganflow-staging"
_CONFIG = """[core]
    analytics = false
    no_scm = True
    remote = local
['remote "local"']
    url = ../.ganflow/remote
"""
_IGNORED = "# Folders that DVC need not search for its files; syntax as in .gitignore.\n.ganflow\nmlartifacts\nmlruns\n"


@dataclass(frozen=True)
class DatasetVersion:
    """What `version_dataset` did.

    Attributes:
        md5: DVC's hash of the dataset, without `.dir`.
        changed: whether `data.dvc` says something new.
        pushed: whether the default remote has this version.
        push_error: one sentence where pushing failed.
    """

    md5: str
    changed: bool
    pushed: bool
    push_error: str | None


def current_md5(settings: Settings) -> str | None:
    """Return the version of the dataset that `data.dvc` names, or None where there is no dataset yet.

    Raises:
        DatasetError: `data.dvc` is malformed.
    """
    return tracked_md5(settings.home / "data.dvc")


def require_version(settings: Settings) -> str:
    """Return the version that `data.dvc` names.

    Raises:
        DatasetError: there is no dataset yet, or `data.dvc` is malformed.
    """
    md5 = current_md5(settings)
    if md5 is None:
        raise DatasetError(f"no dataset in {settings.home}: run `ganflow ingest digits`")
    return md5


def ensure_repo(home: Path) -> None:
    """Make `home` a DVC repository with a remote inside, unless it lies in one already, whose settings then stand."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        Repo.find_root(str(home))
    except NotDvcRepoError:
        # What `dvc init --no-scm` writes, but complete from the moment when it is there.
        draft = home / STAGING / "dvc"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        (draft / "config").write_text(_CONFIG, "utf-8")
        (draft / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", "utf-8")
        if not (home / ".dvcignore").exists():
            (home / ".dvcignore").write_text(_IGNORED, "utf-8")
        draft.rename(home / ".dvc")


def recover(settings: Settings) -> bool:
    """Undo what a killed command left half done; every command calls this first.

    Returns:
        Whether there was anything to undo.
    """
    if not (settings.home / STAGING).exists():
        return False
    with locked(settings):
        return _recover(settings)


def version_dataset(settings: Settings, staged: Path) -> DatasetVersion:
    """Make a dataset folder the current version: in the cache, in `data/`, in `data.dvc`, in the default remote.

    An unchanged dataset leaves `data.dvc` as it is. A remote that fails does not fail this.

    Args:
        settings: says where `data/` is.
        staged: the new dataset's folder, which is moved away; on the file system of `data/` that is instant.

    Raises:
        DatasetError: `data/` holds something that is no version, or `data.dvc` is malformed.
        GanflowError: DVC refuses.
    """
    staging = settings.home / STAGING
    pointer, fresh = settings.home / "data.dvc", staging / "data"
    with locked(settings):
        _recover(settings)
        before = current_md5(settings)
        _refuse_foreign(settings, before)
        ensure_repo(settings.home)
        staging.mkdir(exist_ok=True)
        (staging / ".gitignore").write_text("*\n", "utf-8")
        shutil.move(staged, fresh)
        with open_repo(settings.home) as repo:
            repo.add([str(fresh)])
        md5 = tracked_md5(staging / pointer.name)
        assert md5 is not None
        if md5 != before:
            _swap(settings)
        _recover(settings)
        with open_repo(settings.home) as repo:
            if md5 == before:
                restore(repo, pointer, md5)
            git_ignore(settings.home, settings.data_dir)
            pushed, push_error = push(repo, pointer)
        return DatasetVersion(md5, md5 != before, pushed, push_error)


def ensure_data(settings: Settings) -> str:
    """See that `data/` is what `data.dvc` says, from the cache or the default remote if need be; return its md5.

    Raises:
        DatasetError: there is no dataset, or its version is neither here nor in the remote.
        GanflowError: DVC refuses.
    """
    with locked(settings):
        _recover(settings)
        md5 = require_version(settings)
        ensure_repo(settings.home)
        with open_repo(settings.home) as repo:
            restore(repo, settings.home / "data.dvc", md5)
        return md5


def version_files(settings: Settings, md5: str, pointer_text: str) -> dict[str, Path]:
    """The files of any version by name, read-only in DVC's cache, fetched if need be; `data/` stays as it is.

    Args:
        settings: says where the repository is.
        md5: the version.
        pointer_text: its `data.dvc`.

    Raises:
        DatasetError: the version is neither in the cache nor to be had from the remote.
        GanflowError: DVC refuses.
    """
    with _draft(settings, pointer_text) as draft, open_repo(settings.home) as repo:
        fetch(repo, draft, md5)
        return cached_files(repo, draft)


def checkout_version(settings: Settings, md5: str, pointer_text: str) -> bool:
    """Make any version the current one: in the cache, in a folder aside, in `data/`, in `data.dvc`.

    What `data/` holds and no version has is lost. If it is the current version already, `data/` is repaired.

    Args:
        settings: says where `data/` is.
        md5: the version.
        pointer_text: its `data.dvc`.

    Returns:
        Whether `data.dvc` says something new.

    Raises:
        DatasetError: the version is not to be had or broken, or `data/` holds something that is no version.
        GanflowError: DVC refuses.
    """
    with _draft(settings, pointer_text) as draft:
        before = current_md5(settings)
        if md5 == before:
            ensure_data(settings)
            return False
        _refuse_foreign(settings, before)
        with open_repo(settings.home) as repo:
            restore(repo, draft, md5)
            require_whole(repo, draft, md5)
        staging = settings.home / STAGING
        # In this order: `_recover` takes a pending data.dvc without its folder for a swap that is half done.
        draft.with_name("data").rename(staging / "data")
        draft.rename(staging / "data.dvc")
        _swap(settings)
        git_ignore(settings.home, settings.data_dir)
        return True


def track_release(settings: Settings, folder: Path) -> tuple[str, str | None]:
    """Add a finished release to DVC, which writes `<release>.dvc` beside it, and push it.

    Returns:
        Its md5, and a sentence where the remote fails.

    Raises:
        GanflowError: DVC refuses.
    """
    pointer = folder.with_name(f"{folder.name}.dvc")
    with locked(settings):
        _recover(settings)
        ensure_repo(settings.home)
        with open_repo(settings.home) as repo:
            repo.add([str(folder)])
            git_ignore(settings.home, folder)
            _, push_error = push(repo, pointer)
    md5 = tracked_md5(pointer)
    assert md5 is not None
    return md5, push_error


@contextlib.contextmanager
def _draft(settings: Settings, pointer_text: str) -> Iterator[Path]:
    """A pointer in the staging folder, on which DVC can work while `data.dvc` says something else."""
    staging = settings.home / STAGING
    draft = staging / "version" / "data.dvc"
    with locked(settings):
        _recover(settings)
        ensure_repo(settings.home)
        draft.parent.mkdir(parents=True)
        (staging / ".gitignore").write_text("*\n", "utf-8")
        draft.write_text(pointer_text, "utf-8")
        try:
            yield draft
        finally:
            _recover(settings)


def _swap(settings: Settings) -> None:
    """Give what is staged its place; each step leaves another set of names, by which `_recover` knows what was done."""
    staging = settings.home / STAGING
    if settings.data_dir.exists():
        settings.data_dir.rename(staging / "old")
    (staging / "data").rename(settings.data_dir)
    os.replace(staging / "data.dvc", settings.home / "data.dvc")


def _recover(settings: Settings) -> bool:
    for pointer in settings.synthetic_dir.glob("*.dvc"):
        # DVC writes this file in place: killed there it is empty, and an empty one stops every later command.
        if pointer.is_file() and pointer.stat().st_size == 0:
            pointer.unlink()
    staging = settings.home / STAGING
    if not staging.exists():
        return False
    pending, fresh, aside = staging / "data.dvc", staging / "data", staging / "old"
    # While the new data.dvc is here, the old one still stands: the steps are undone in reverse, so that a kill in this
    # place too leaves a state that the next call understands.
    if pending.exists():
        if not fresh.exists() and settings.data_dir.exists():
            settings.data_dir.rename(fresh)
        if aside.exists():
            aside.rename(settings.data_dir)
        pending.unlink()
    shutil.rmtree(staging)
    return True


def _refuse_foreign(settings: Settings, current: str | None) -> None:
    data = settings.data_dir
    if current is None and (any(data.iterdir()) if data.is_dir() else data.exists()):
        raise DatasetError(
            f"{data} holds files but there is no data.dvc beside it: move the folder away, so that they are not lost"
        )
