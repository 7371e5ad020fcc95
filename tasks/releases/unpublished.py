"""Releases of a home that are not published: unfinished ones, whose lock says who draws, and those in quarantine."""

import shutil
from pathlib import Path

from filelock import Timeout

from gan.errors import InputError
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings


def unfinished(settings: Settings) -> list[Path]:
    """Folders of releases that are being drawn, or were when their process was killed."""
    return _folders(settings.unfinished_dir)


def quarantined(settings: Settings) -> list[Path]:
    """Folders of releases that are not fit to be handed on."""
    return _folders(settings.quarantine_dir)


def lock_of(folder: Path) -> Path:
    """The lock that whoever draws an unfinished release holds."""
    return folder.with_name(f"{folder.name}.lock")


def is_drawn(folder: Path) -> bool:
    """Whether a process draws an unfinished release; another user's counts as such."""
    if not lock_of(folder).exists():
        return False
    try:
        with hold_lock(lock_of(folder), timeout=0):
            return False
    except (Timeout, InputError):
        return True


def remove_unfinished(folder: Path) -> None:
    """Remove what is left of an unfinished release.

    Raises:
        filelock.Timeout: a process draws it.
    """
    with hold_lock(lock_of(folder), timeout=0):
        shutil.rmtree(folder, ignore_errors=True)
        lock_of(folder).unlink(missing_ok=True)


def _folders(top: Path) -> list[Path]:
    if not top.is_dir():
        return []
    return sorted(path for path in top.iterdir() if path.is_dir() and not path.name.startswith("."))
