"""Finished parts on disk: what a killed run has done is not done again, and no more than one part is in memory."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class PartStore:
    """Tables of `gan.data.encode.SCHEMA` in a folder, each under the key of the job that made it.

    Args:
        folder: made if need be; other files in it are removed, for they belong to work that nobody waits for.
        keys: of the jobs, in order; record numbers count through their tables.
        sizes: records of each job.
    """

    def __init__(self, folder: Path, keys: Sequence[str], sizes: Sequence[int]) -> None:
        self._paths = [folder / f"{key}.arrow" for key in keys]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {path.name for path in self._paths}
        for entry in os.scandir(folder):
            if entry.name not in wanted:
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)

    def __len__(self) -> int:
        """Return the number of records."""
        return int(self._starts[-1])

    def missing(self) -> list[int]:
        """Return the numbers of the jobs that have not been done."""
        return [index for index, path in enumerate(self._paths) if not path.exists()]

    def put(self, index: int, table: bytes) -> None:
        """Keep the result of a job, complete or not at all."""
        path = self._paths[index]
        partial = path.with_suffix(".partial")
        partial.write_bytes(table)
        os.replace(partial, path)

    def column(self, name: str) -> NDArray[np.generic]:
        """Return a column of numbers over all records, 0 where there is no image; a digest is `S32`."""
        return np.concatenate([_numbers(self._table(index).column(name)) for index in range(len(self._paths))])

    def total(self, name: str, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Add up a column of lists of numbers over the chosen ones of all records."""
        total = np.zeros(6, np.int64)
        for index, start in enumerate(self._starts[:-1]):
            rows = _numbers(self._table(index).column(name)).astype(np.int64)
            total += rows[chosen[start : start + len(rows)]].sum(axis=0)
        return total

    def texts(self, name: str, records: NDArray[np.int64]) -> list[str]:
        """Return a column of texts at some records."""
        return self.take(name, records).to_pylist()  # type: ignore[no-any-return]

    def take(self, name: str, records: NDArray[np.int64]) -> pa.Array:
        """Return a column at some records, in their order; each table that they lie in is opened once."""
        parts = np.searchsorted(self._starts, records, side="right") - 1
        order = np.argsort(parts, kind="stable")
        found = []
        for part in np.unique(parts):
            rows = records[order][parts[order] == part] - self._starts[part]
            found.append(self._table(int(part)).column(name).take(pa.array(rows)).combine_chunks())
        back = np.empty(len(records), np.int64)
        back[order] = np.arange(len(records))
        return pa.concat_arrays(found).take(pa.array(back)) if found else pa.array([])

    def _table(self, index: int) -> pa.Table:
        return pa.ipc.open_file(pa.memory_map(str(self._paths[index]))).read_all()


def _numbers(column: pa.ChunkedArray) -> NDArray[np.generic]:
    array = column.combine_chunks()
    if pa.types.is_fixed_size_binary(array.type):
        return np.array([value or b"" for value in array.to_pylist()], "S32")
    if pa.types.is_fixed_size_list(array.type):
        flat = array.flatten() if not array.null_count else pa.concat_arrays([array.fill_null([0] * 6)]).flatten()
        return flat.to_numpy().reshape(len(array), -1)  # type: ignore[no-any-return]
    return array.fill_null(0).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
