"""Locks in the home: held by one process at a time, and freed by the kernel when it ends, however it ends."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from gan.errors import InputError

# Whoever may work in a shared home may lock it; the rights of the folder say who that is.
_MODE = 0o664


@contextlib.contextmanager
def hold_lock(path: Path, *, timeout: float = -1, again: bool = False) -> Iterator[None]:
    """Hold a lock file within the block.

    Args:
        path: the file; it is made, with its folder, if it is not there.
        timeout: seconds to wait for another holder; negative: as long as it takes.
        again: whether a block within the block may hold it too.

    Raises:
        InputError: the file is another user's, who lets nobody else use it.
        filelock.Timeout: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, mode=_MODE, is_singleton=again)
    try:
        lock.acquire(timeout=timeout)
    except PermissionError:
        raise InputError(
            f"the lock {path} is another user's: work as that user, or have them share the folder by "
            f"`chmod -R g+rwX {path.parent}`"
        ) from None
    try:
        yield
    finally:
        lock.release()
