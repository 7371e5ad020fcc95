"""Decoded versions of the dataset on a disk of this machine: each is whole and as it was written, or is not there.

A version is a folder that is written under a temporary name and renamed when all of it is there, with a record of its
files inside. Where the folder lacks its record, or a file is not what the record says, it counts as absent.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from gan.data.files.digest import file_sha256
from gan.errors import ResourcesError

RECORD = "record.json"
DecodedBatch = tuple[NDArray[np.uint8], NDArray[np.int64]]


@dataclass(frozen=True)
class DecodedSplit:
    """A split on its way into the cache.

    Attributes:
        shape: (N, H, W, C).
        batches: uint8 images `[n, H, W, C]` and int64 labels `[n]`, together N.
    """

    shape: tuple[int, int, int, int]
    batches: Iterable[DecodedBatch]


class _File(BaseModel):
    size: int
    mtime_ns: int
    sha256: str


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format_version: Literal[1] = 1
    files: dict[str, _File]


def open_split(folder: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """Map a split's images and read its labels, or return None where the folder does not have it as it was written.

    Size and time of the files are compared at each call; their content only where the time is another, as after
    copying the folder.

    Raises:
        ResourcesError: this process may not map so large a file; decoding it anew would not help.
    """
    try:
        record = _Record.model_validate_json((folder / RECORD).read_bytes())
        images_path, labels_path = (folder / name for name in _names(split))
        if not all(_is_as_written(path, record.files[path.name]) for path in (images_path, labels_path)):
            return None
        images = np.load(images_path, mmap_mode="r", allow_pickle=False)
        return images, np.load(labels_path, allow_pickle=False)
    except Exception as error:  # on a damaged file numpy raises nearly any type
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            raise ResourcesError(
                f"the decoded images in {folder} are larger than the addresses that this process may use: raise the "
                "limit (`ulimit -v unlimited`), which is no limit of memory"
            ) from error
        return None


@contextmanager
def writing(cache_dir: Path, md5: str) -> Iterator[None]:
    """Wait until no other process writes this version into the cache, and hold it."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    _sweep(cache_dir)
    with FileLock(cache_dir / f".{md5}.lock"):
        yield


def write_version(cache_dir: Path, md5: str, splits: Mapping[str, DecodedSplit]) -> None:
    """Write a version, all splits or nothing, in place of what has its name; only within `writing`.

    Args:
        cache_dir: the folder of all versions.
        md5: the version's name.
        splits: what it holds; an error of their batches passes through and leaves nothing.
    """
    folder, partial, old = (cache_dir / name for name in (md5, f".{md5}.partial", f".{md5}.old"))
    for left_by_a_kill in (partial, old):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        files = {name: file for split, rows in splits.items() for name, file in _write_split(partial, split, rows)}
        with _Writer(partial / RECORD) as record:
            record.write(_Record(files=files).model_dump_json(indent=2).encode())
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    finally:
        for unneeded in (partial, old):
            shutil.rmtree(unneeded, ignore_errors=True)


def _sweep(cache_dir: Path) -> None:
    """Remove what kills left of versions, whichever, that nobody writes now."""
    for left in cache_dir.glob(".*.partial"):
        with suppress(Timeout), FileLock(left.with_suffix(".lock"), timeout=0):
            shutil.rmtree(left, ignore_errors=True)


class _Writer:
    """A new file that is on the disk when it is closed, with the digest of what was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.digest = hashlib.sha256()

    def __enter__(self) -> "_Writer":
        self.file = self.path.open("wb")
        return self

    def __exit__(self, *error: object) -> None:
        with self.file:
            self.file.flush()
            os.fsync(self.file.fileno())

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.file.write(data)

    def record(self) -> _File:
        status = self.path.stat()
        return _File(size=status.st_size, mtime_ns=status.st_mtime_ns, sha256=self.digest.hexdigest())


def _write_split(folder: Path, split: str, rows: DecodedSplit) -> Iterator[tuple[str, _File]]:
    images_name, labels_name = _names(split)
    labels, header = [np.empty(0, np.int64)], {"descr": "|u1", "fortran_order": False, "shape": rows.shape}
    with _Writer(folder / images_name) as images:
        np.lib.format.write_array_header_1_0(images, header)
        for batch, batch_labels in rows.batches:
            images.write(np.ascontiguousarray(batch).data)
            labels.append(batch_labels)
    with _Writer(folder / labels_name) as file:
        np.lib.format.write_array(file, np.concatenate(labels, dtype=np.int64), allow_pickle=False)
    yield from ((images_name, images.record()), (labels_name, file.record()))


def _is_as_written(path: Path, wanted: _File) -> bool:
    status = path.stat()
    if status.st_size != wanted.size:
        return False
    if status.st_mtime_ns == wanted.mtime_ns:
        return True
    if file_sha256(path) != wanted.sha256:
        return False
    with suppress(OSError):  # so that it is read through once, not at every call
        os.utime(path, ns=(status.st_atime_ns, wanted.mtime_ns))
    return True


def _names(split: str) -> tuple[str, str]:
    return f"{split}-images.npy", f"{split}-labels.npy"
