"""Files that no other user of this machine may read, from their first byte on, and that nobody sees half written."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def replace_private(path: Path, text: str) -> None:
    """Write a file, or replace what is there, with mode 0600."""
    with _draft(path, text) as draft:
        draft.replace(path)


def create_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, unless another process was faster: then that one's stays."""
    with _draft(path, text) as draft, contextlib.suppress(FileExistsError):
        os.link(draft, path)


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter, or close it if it is there already; returns it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):  # somebody else's, who then can read it anyway
        path.chmod(0o700)
    return path


@contextlib.contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
