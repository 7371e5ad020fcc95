"""Rows of the training images, wherever they lie, read into memory that is there already."""

import mmap
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

import numpy as np
from torch import Tensor

from gan.errors import ReadError


class Rows(Protocol):
    """Images that can be read by several threads at once."""

    shape: tuple[int, ...]
    """(N, H, W, C)."""

    def read(self, rows: np.ndarray, into: Tensor) -> None:
        """Fill `into` [n, H, W, C] uint8 with the images of some rows [n] int64, which are in ascending order."""

    def close(self) -> None:
        """Let go of what is open; nobody reads any more."""


class RowsInMemory:
    """Images in the memory of this host.

    Args:
        images: [N, H, W, C] uint8.
    """

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.shape = images.shape

    def read(self, rows: np.ndarray, into: Tensor) -> None:
        """Copy them, on this thread alone."""
        np.take(self.images, rows, axis=0, out=into.numpy(), mode="clip")  # any other mode takes a copy more

    def close(self) -> None:
        """Do nothing."""


class RowsOnDisk:
    """Images in a file, one behind the other; a stretch that is wanted as a whole is one read. Closed in a `with`.

    Reading by calls and not by a map: a call lets other threads compute, asks for a stretch at once instead of page by
    page, and fails with an error where a map would end the process.

    Args:
        path: of the file.
        offset: where the first image begins in it.
        shape: (N, H, W, C).

    Raises:
        ReadError: it cannot be opened, or is too short.
    """

    def __init__(self, path: str, offset: int, shape: tuple[int, ...]) -> None:
        self.path, self.offset, self.shape = path, offset, tuple(shape)
        self._image_bytes = int(np.prod(self.shape[1:]))
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - open as long as this is
            there = os.fstat(self._file.fileno()).st_size
            if hasattr(os, "posix_fadvise"):  # no reading ahead: what lies behind an image is not wanted next
                os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        except OSError as error:
            raise self._error(os.strerror(error.errno or 0)) from error
        if there < offset + self.shape[0] * self._image_bytes:
            self._file.close()
            raise self._error("it is shorter than it was")

    def __enter__(self) -> "RowsOnDisk":
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def read(self, rows: np.ndarray, into: Tensor) -> None:
        """Read them.

        Raises:
            ReadError: the disk refuses, or the file ends too early.
        """
        target, wide = into.numpy().reshape(-1).data, self._image_bytes
        for first, last in _stretches(rows):
            self._read_at(self.offset + int(rows[first]) * wide, target[first * wide : last * wide])

    def _read_at(self, place: int, target: memoryview) -> None:
        while target:
            try:
                done = os.preadv(self._file.fileno(), [target], place)
            except OSError as error:
                raise self._error(os.strerror(error.errno or 0)) from error
            if done == 0:
                raise self._error("it is shorter than it was")
            place, target = place + done, target[done:]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _error(self, why: str) -> ReadError:
        return ReadError(
            f"the training images in {self.path} cannot be read ({why}): look at that disk, remove the folder of the "
            "file if it is damaged, and train again: the images are then decoded anew, and training goes on from its "
            "last checkpoint"
        )


def _stretches(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Places [first, last) in `rows` that hold one row after the other."""
    breaks = (np.flatnonzero(np.diff(rows) != 1) + 1).tolist()
    yield from zip([0, *breaks], [*breaks, len(rows)], strict=True)


def mapped_file(images: np.ndarray) -> tuple[str, int] | None:
    """The file that an array is a read-only map of, and where in it the array begins; None: it is in memory."""
    root, below = images, images.base
    while isinstance(below, np.ndarray):
        root, below = below, below.base
    if not (isinstance(root, np.memmap) and isinstance(below, mmap.mmap) and root.mode == "r"):
        return None
    if not root.filename or not images.flags.c_contiguous:
        return None
    return str(root.filename), root.offset + images.ctypes.data - root.ctypes.data
