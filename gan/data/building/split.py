"""Which split an image belongs to, where the source does not say."""

import hashlib
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
