"""Which split an image belongs to, and in which order a split keeps its images when the dataset grows."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan.data.shards import read_column
from gan.errors import DatasetError


def source_digest(pixels: NDArray[np.uint8]) -> bytes:
    """Return the sha256 of an image's `[H, W, C]` uint8 source pixels and their shape."""
    # Black images of different sizes are different images.
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()


def is_held_out(digest: bytes, holdout_fraction: float) -> bool:
    """Return whether the image with that `source_digest` belongs to `test`; no other image has a say in it.

    The digest's first 8 bytes, as a fraction of all their values, are compared with the share to be held out.
    """
    return int.from_bytes(digest[:8], "big") / 2**64 < holdout_fraction


def order_after(previous: Path | None, split: str, images: Sequence[NDArray[np.uint8]]) -> list[int]:
    """Order prepared images so that a new version of a dataset repeats the full shards of the earlier one.

    Args:
        previous: folder of the earlier dataset; none, or a broken one, leaves the order as it is.
        split: `train` or `test`.
        images: N prepared images of the split, `[R, R, C]` uint8.

    Returns:
        The numbers 0 to N-1: images that the earlier dataset has first and in its order, the others behind in theirs.
    """
    try:
        earlier = read_column(previous, split, "sha256") if previous else []
    except DatasetError:
        earlier = []  # ingesting is how a missing or broken dataset is mended
    places: defaultdict[str, deque[int]] = defaultdict(deque)
    for place, digest in enumerate(earlier):
        places[digest].append(place)
    keys = []
    for index, image in enumerate(images):
        # Different source images may be equal once prepared: each takes one of the places.
        queue = places[hashlib.sha256(image.tobytes()).hexdigest()] if earlier else deque()
        keys.append((queue.popleft() if queue else len(earlier), index))
    return [index for _, index in sorted(keys)]
