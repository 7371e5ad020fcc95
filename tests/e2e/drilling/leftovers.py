"""What commands have left on a machine that still is there when they have ended."""

import contextlib
from pathlib import Path

import psutil

SHARED = Path("/dev/shm")


def names_below(folder: Path) -> set[str]:
    """All files and folders in a folder, at any depth."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.is_dir() else set()


def unused_shared_memory() -> set[str]:
    """Names in /dev/shm that no process has in use."""
    names = {path.name for path in SHARED.iterdir()}
    used: set[str] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mapped = [each.path for each in process.memory_maps()] + [each.path for each in process.open_files()]
            used.update(Path(path).name for path in mapped if path.startswith(str(SHARED)))
    return names - used
