"""How alike two images are, pixel by pixel, once they lie on each other."""

import math

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.fingerprints import SIDE
from gan.data.near_duplicates.near_index import OFFSETS

Image = npt.NDArray[np.uint8]


def correlation(first: Image, second: Image) -> float:
    """Return the correlation of two images [H, W, C] uint8 at the shift where it is largest, from -1 to 1.

    Each channel counts less its mean, so that brightness does not, and colours do. Shifts are those that small pictures
    of up to 32 pixels are compared at, found there and then made exact at twice the size, time and again. An image of
    one colour is like none: 0.
    """
    sizes = [(first, second)]
    while max(sizes[-1][0].shape[:2]) > SIDE:
        sizes.append((_halved(sizes[-1][0]), _halved(sizes[-1][1])))
    found, at = 0.0, (0, 0)
    for a, b in reversed(sizes):
        around = [(2 * at[0] + y, 2 * at[1] + x) for y, x in OFFSETS]
        found, at = max(((_correlation(a, b, shift), shift) for shift in around), key=lambda each: each[0])
    return found


def _correlation(first: Image, second: Image, shift: tuple[int, int]) -> float:
    # in whole numbers, so that every machine finds the same
    (top, left), (height, width) = shift, first.shape[:2]
    a = first[max(0, top) : height + min(0, top), max(0, left) : width + min(0, left)]
    b = second[max(0, -top) : height + min(0, -top), max(0, -left) : width + min(0, -left)]
    x, y = (each.reshape(-1, each.shape[2]).astype(np.int64) for each in (a, b))
    both, ours, theirs = _moment(x, y), _moment(x, x), _moment(y, y)
    return both / math.sqrt(ours * theirs) if ours and theirs else 0.0


def _moment(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> int:
    return int((len(a) * (a * b).sum(axis=0) - a.sum(axis=0) * b.sum(axis=0)).sum())


def _halved(image: Image) -> Image:
    height, width = (side // 2 * 2 for side in image.shape[:2])
    even = image[:height, :width].astype(np.uint16)
    return ((even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2] + 2) // 4).astype(np.uint8)
