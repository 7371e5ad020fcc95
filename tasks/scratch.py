"""Temporary folders in the home; what a killed command left there, the next one removes."""

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.settings import Settings


@contextlib.contextmanager
def scratch_folder(settings: Settings, kind: str) -> Iterator[Path]:
    """Make a temporary folder on the disk of the home, so that its files can be renamed to where they belong.

    Args:
        settings: where the home is.
        kind: what it is for, as in `release`: a person who finds it will know.
    """
    remove_abandoned(settings)
    top = _top(settings)
    top.mkdir(parents=True, exist_ok=True)
    folder = top / f"{kind}-{secrets.token_hex(8)}"
    with FileLock(_lock_of(folder)):  # the kernel frees it when this process ends, however it ends
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)


def remove_abandoned(settings: Settings) -> None:
    """Remove the temporary folders that no living process holds."""
    for path in _top(settings).glob("*.lock"):
        with contextlib.suppress(Timeout, OSError), FileLock(path, timeout=0):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)


def _top(settings: Settings) -> Path:
    return settings.state_dir / "scratch"


def _lock_of(folder: Path) -> Path:
    return folder.with_suffix(".lock")
