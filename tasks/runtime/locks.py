"""Locks: of a file in the home, of one process at a time; of a folder, of those who read it or of one who removes it.

The kernel frees them when a process ends, however it ends.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

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


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Keep a folder from being removed by `alone_with` within the block; nothing is written, and no right is needed.

    What is no folder, or lies on a disk that knows no locks, is read all the same.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError):  # a text that a person gave may be no path at all
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Hold a folder within the block, while nobody reads it; one that is gone is nobody's.

    Raises:
        filelock.Timeout: somebody reads it.
        OSError: its disk knows no such locks.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Timeout(str(folder)) from None
        yield
