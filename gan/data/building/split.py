"""Which split an image belongs to, where the source does not say."""

import hashlib
from collections import Counter
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def split_key(pixels: NDArray[np.uint8]) -> int:
    """Return the first 64 bits of the sha256 of an image's `[H, W, C]` uint8 source pixels and their shape."""
    # Black images of different sizes are different images.
    digest = _of_shape(pixels.shape).copy()
    digest.update(pixels.data if pixels.flags.c_contiguous else np.ascontiguousarray(pixels).data)
    return int.from_bytes(digest.digest()[:8], "big")


@lru_cache(64)
def _of_shape(shape: tuple[int, ...]) -> "hashlib._Hash":
    return hashlib.sha256(repr(shape).encode())


def held_out(keys: NDArray[np.uint64], holdout_fraction: float) -> NDArray[np.bool_]:
    """Return which images belong to `test`, by their `split_key`; no other image has a say in it.

    A key, as a fraction of all its values, is compared with the share to be held out.
    """
    return keys < np.uint64(round(holdout_fraction * 2**64))


def with_fewest(
    keys: NDArray[np.uint64],
    labels: NDArray[np.int64],
    kept: NDArray[np.bool_],
    out: NDArray[np.bool_],
    fewest: int,
    least: int,
) -> NDArray[np.bool_] | None:
    """Return which images belong to `test` where chance has given a split fewer than it needs: those of the next keys.

    Args:
        keys: `[N]` uint64, of `split_key`.
        labels: `[N]` int64, -1 for none.
        kept: `[N]` bool, in the dataset.
        out: `[N]` bool, held out by now.
        fewest: images that each split needs.
        least: images to train on that are left to every class.

    Returns:
        `[N]` bool, or None where both have as many, or there are too few for both.
    """
    train, test = np.flatnonzero(kept & ~out), np.flatnonzero(kept & out)
    if len(train) + len(test) < 2 * fewest or min(len(train), len(test)) >= fewest:
        return None
    if len(train) < fewest:
        moved = test[np.argsort(keys[test])[len(train) - fewest :]]
    else:
        moved = _spare(train[np.argsort(keys[train])], labels, least)[: fewest - len(test)]
    if not len(moved):
        return None
    same = np.isin(keys, keys[moved])  # copies go with them
    return out & ~same if len(train) < fewest else out | same


def _spare(records: NDArray[np.int64], labels: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    """Return those of some records that can go while `least` of each class stay, the first ones first."""
    left = Counter(labels[records].tolist())
    spare = []
    for record in records.tolist():
        label = int(labels[record])
        if label < 0 or left[label] > least:
            left[label] -= 1
            spare.append(record)
    return np.array(spare, np.int64)
