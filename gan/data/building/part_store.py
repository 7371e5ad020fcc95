"""Finished parts on disk: what a killed run has done is not done again, and no more than one part is in memory."""

import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gan.data.files.atomic import replacing
from gan.data.store.arrow import to_numpy

_OPEN = 64
_SUFFIX = ".arrow"
_CHECKSUM_BYTES = 4


def keep_part(path: Path, table: bytes | pa.Buffer) -> None:
    """Write a finished part with a checksum behind it, complete or not at all."""
    with replacing(path) as draft, draft.open("wb") as file:
        file.write(memoryview(table))
        file.write(_checksum(memoryview(table)))


class PartStore:
    """Tables of `gan.data.building.encode.SCHEMA` in a folder, each under the key of the job that made it.

    Args:
        folder: made if need be; other files in it are removed, for they belong to work that nobody waits for. Tables
            stay whose keys differ behind a dash alone.
        keys: of the jobs, in order; record numbers count through their tables.
    """

    def __init__(self, folder: Path, keys: Sequence[str]) -> None:
        # Mapped, so they take no memory; some stay open, for plans look at them column by column.
        self._table = lru_cache(_OPEN)(self._open)
        self._paths = [folder / f"{key}{_SUFFIX}" for key in keys]
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {key.partition("-")[0] for key in keys}
        for entry in os.scandir(folder):
            if not entry.name.endswith(_SUFFIX) or entry.name.removesuffix(_SUFFIX).partition("-")[0] not in wanted:
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)

    def __len__(self) -> int:
        """Return the number of records; all jobs have to be done."""
        return int(self._starts[-1])

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        rows = [self._table(index).num_rows for index in range(len(self._paths))]
        return np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)

    def missing(self) -> list[int]:
        """Return the numbers of the jobs that have not been done, or whose result a disk has altered."""
        return [index for index, path in enumerate(self._paths) if not _is_whole(path)]

    def put(self, index: int, table: bytes) -> None:
        """Keep the result of a job, complete or not at all."""
        keep_part(self._paths[index], table)

    def path(self, index: int) -> Path:
        """Return where the result of a job belongs, for who can write there."""
        return self._paths[index]

    def column(self, name: str) -> NDArray[np.generic]:
        """Return a column of numbers over all records, 0 where there is no image; a digest is `S32`."""
        # Copied one by one: a view would keep its whole table mapped.
        return np.concatenate([to_numpy(self._table(index).column(name)).copy() for index in range(len(self._paths))])

    def total(self, name: str, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Add up a column of lists of numbers over the chosen ones of all records."""
        total = np.zeros(6, np.int64)
        for index, start in enumerate(self._starts[:-1]):
            rows = to_numpy(self._table(index).column(name)).astype(np.int64)
            total += rows[chosen[start : start + len(rows)]].sum(axis=0)
        return total

    def filled(self, name: str) -> Iterator[tuple[int, Any]]:
        """Yield the number of each job and each value of a column of bytes that is not empty, in order."""
        for index in range(len(self._paths)):
            column = self._table(index).column(name).chunk(0)
            if column.buffers()[2].size:
                yield from ((index, value) for value in column.to_pylist() if value)

    def values(self, name: str, records: NDArray[np.int64]) -> list[Any]:
        """Return a column at some records, in their order; each table that they lie in is opened once."""
        parts = np.searchsorted(self._starts, records, side="right") - 1
        found: list[Any] = [None] * len(records)
        for part in np.unique(parts):
            places = np.flatnonzero(parts == part)
            rows = (records[places] - self._starts[part]).tolist()
            column = self._table(int(part)).column(name)
            # One value at a time where few are wanted: a picture is worth a thousand words.
            values = column.to_pylist() if len(rows) * 8 > len(column) else None
            for place, row in zip(places.tolist(), rows, strict=True):
                found[place] = values[row] if values else column[row].as_py()
        return found

    def _open(self, index: int) -> pa.Table:
        mapped = _mapped(self._paths[index])
        return pa.ipc.open_file(mapped.slice(0, mapped.size - _CHECKSUM_BYTES)).read_all()


def _mapped(path: Path) -> pa.Buffer:
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _checksum(content: memoryview) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big")


def _is_whole(path: Path) -> bool:
    try:
        content = memoryview(_mapped(path))
    except OSError:
        return False
    return bytes(content[-_CHECKSUM_BYTES:]) == _checksum(content[:-_CHECKSUM_BYTES])
