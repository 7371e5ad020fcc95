"""Files that are there as a whole or not at all, also after a kill or a power cut."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_DRAFT = ".partial"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a draft beside `path`, an empty file that takes its place if the block ends well.

    Its content and its name are on the disk before the block is left. Several processes may do this at once: the last
    one stays. What a killed one leaves is removed by `sweep_drafts`.
    """
    draft, descriptor = _open_draft(path)
    try:
        yield draft
        os.fsync(descriptor)
        os.replace(draft, path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)
        os.close(descriptor)


def write_whole(path: Path, content: bytes | str | memoryview) -> None:
    """Write a file, complete or not at all; a text is written as UTF-8."""
    with replacing(path) as draft, draft.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sweep_drafts(folder: Path) -> None:
    """Remove the drafts in a folder that no living process writes."""
    for draft in folder.glob(f".*{_DRAFT}"):
        with contextlib.suppress(OSError), draft.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its writer holds it, and the kernel lets go for the dead
            draft.unlink()


def sync_folder(folder: Path) -> None:
    """Have the disk keep the names that a folder holds now."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems cannot
        pass
    finally:
        os.close(descriptor)


def _open_draft(path: Path) -> tuple[Path, int]:
    while True:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_DRAFT}")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else it was swept before it was held
            return draft, descriptor
        os.close(descriptor)
