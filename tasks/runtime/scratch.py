"""Temporary folders, in the home or on this machine's own disk; what a killed process left, the next one removes."""

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import Timeout

from gan.data.files.atomic import sweep_drafts
from gan.errors import InputError
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings

_NAME = "scratch"


@contextlib.contextmanager
def scratch_folder(settings: Settings, kind: str) -> Iterator[Path]:
    """Make a temporary folder on the disk of the home, so that its files can be renamed to where they belong.

    Args:
        settings: where the home is.
        kind: what it is for, as in `release`: a person who finds it will know.
    """
    with scratch_in(settings.state_dir / _NAME, kind) as folder:
        yield folder


@contextlib.contextmanager
def scratch_beside(folder: Path, kind: str) -> Iterator[Path]:
    """Make a temporary folder on the disk of another one, in which it is hidden."""
    top = folder / f".{_NAME}"
    try:
        with scratch_in(top, kind) as inside:
            yield inside
    finally:
        with contextlib.suppress(OSError):  # others are in it
            top.rmdir()


def sweep_beside(folder: Path) -> None:
    """Remove the temporary folders of `scratch_beside` that no living process holds."""
    _sweep(folder / f".{_NAME}")


@contextlib.contextmanager
def local_scratch(kind: str) -> Iterator[Path]:
    """Make a temporary folder on this machine's own disk, where the system keeps such.

    Raises:
        InputError: another user has taken the name under which those of this user lie.
    """
    top = Path(tempfile.gettempdir()) / f"ganflow-{os.getuid()}"
    top.mkdir(mode=0o700, exist_ok=True)
    found = top.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise InputError(f"{top} is another user's: set TMPDIR to a folder of yours")
    with scratch_in(top, kind) as folder:
        yield folder


@contextlib.contextmanager
def scratch_in(top: Path, kind: str) -> Iterator[Path]:
    """Make a temporary folder in `top`, and remove those there that no living process holds."""
    _sweep(top)
    top.mkdir(parents=True, exist_ok=True)
    folder = top / f"{kind}-{secrets.token_hex(8)}"
    with hold_lock(_lock_of(folder)):  # the kernel frees it when this process ends, however it ends
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)


def remove_abandoned(settings: Settings) -> None:
    """Remove the temporary folders and the drafts of files in the home that no living process holds."""
    _sweep(settings.state_dir / _NAME)
    for folder in (settings.synthetic_dir, settings.quarantine_dir):
        sweep_beside(folder)
    for folder in (settings.state_dir, settings.cache_dir):
        sweep_drafts(folder)


def _sweep(top: Path) -> None:
    for path in top.glob("*.lock"):
        with contextlib.suppress(Timeout, OSError, InputError), hold_lock(path, timeout=0):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")
