"""Which image goes into which shard, so that a new version of a dataset shares as many shards with the earlier one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gan.data.store.shards import read_digests, shard_paths, shard_schema
from gan.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Shard:
    """One shard to be.

    Attributes:
        records: numbers of its records, in order.
        same_as: the earlier dataset's shard that has the same rows already, or None.
    """

    records: NDArray[np.int64]
    same_as: Path | None = None


def lay_out(
    previous: Path | None,
    split: str,
    records: NDArray[np.int64],
    digests: NDArray[np.bytes_],
    labels: NDArray[np.int64],
    *,
    schema: pa.Schema,
    most: int,
) -> list[Shard]:
    """Put images into shards: where they are in the earlier dataset, new ones behind.

    A shard of the earlier dataset that lost images is written again without them; one that is left with less than a
    quarter of a full shard gives its images to the end. No other full shard changes.

    Args:
        previous: folder of the earlier dataset; none, or a broken one, leaves the order as it is.
        split: `train` or `test`.
        records: `[n]` numbers of the split's records, in the order of the source.
        digests: `[n]` S32, sha256 of their pixels, all different.
        labels: `[n]` int64.
        schema: of the shards.
        most: rows of a full shard.

    Returns:
        Shards with at least one row each, at most `most` unless an earlier shard had more.
    """
    order = np.argsort(digests)
    taken = np.zeros(len(records), np.bool_)
    shards: list[Shard] = []
    for path, old_digests, old_labels, same_schema in _earlier(previous, split, schema):
        at = _find(old_digests, digests, order)
        at = at[at >= 0]
        at = at[np.sort(np.unique(at, return_index=True)[1])]
        at = at[~taken[at]]
        whole = len(at) == len(old_digests)
        if not len(at) or (not whole and len(at) < most // 4):
            continue
        taken[at] = True
        same = whole and same_schema and np.array_equal(labels[at], old_labels)
        shards.append(Shard(records[at], path if same else None))
    return _append(shards, records[~taken], most)


def _find(wanted: NDArray[np.bytes_], digests: NDArray[np.bytes_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each wanted digest among `digests`, or -1."""
    if not len(digests):
        return np.full(len(wanted), -1)
    place = np.searchsorted(digests, wanted, sorter=order)
    found = order[np.minimum(place, len(digests) - 1)]
    return np.where(digests[found] == wanted, found, -1)


def _earlier(
    previous: Path | None, split: str, schema: pa.Schema
) -> Sequence[tuple[Path, NDArray[np.bytes_], NDArray[np.int64], bool]]:
    if previous is None:
        return []
    try:
        return [
            (path, *read_digests(path), shard_schema(path).equals(schema, check_metadata=True))
            for path in shard_paths(previous, split)
        ]
    except DatasetError:
        return []  # ingesting is how a missing or broken dataset is mended


def _append(shards: list[Shard], new: NDArray[np.int64], most: int) -> list[Shard]:
    if shards and len(new) and (room := most - len(shards[-1].records)) > 0:
        shards[-1] = Shard(np.concatenate([shards[-1].records, new[:room]]))
        new = new[room:]
    return shards + [Shard(new[start : start + most]) for start in range(0, len(new), most)]
