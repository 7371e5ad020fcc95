"""How alike two images are, pixel by pixel, once they lie on each other."""

import math

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.fingerprints import SIDE
from gan.data.near_duplicates.near_index import OFFSETS

Image = npt.NDArray[np.uint8]
Planes = npt.NDArray[np.float64]

_ENOUGH_SIDE, _ENOUGH = 128, 0.9


def correlation(first: Image, second: Image) -> float:
    """Return the correlation of two images [H, W, C] uint8 at the shift where it is largest, from -1 to 1.

    Each channel counts less its mean, so that brightness does not, and colours do. Shifts are those that small pictures
    of up to 32 pixels are compared at, found there and then made exact at twice the size, time and again. More than 128
    pixels are looked at where those are less alike than 0.9: a shift by half a pixel may hide what is alike, and a pair
    takes tens of milliseconds there. An image of one colour is like none: 0.
    """
    # [C, H, W]; sums of products of whole numbers are exact in float64, so every machine finds the same
    sizes = [tuple(np.moveaxis(image, 2, 0).astype(np.float64) for image in (first, second))]
    while max(sizes[-1][0].shape[1:]) > SIDE:
        sizes.append(tuple(_halved(image) for image in sizes[-1]))
    found, best, at = 0.0, -1.0, (0, 0)
    for a, b in reversed(sizes):
        if max(a.shape[1:]) > _ENOUGH_SIDE and best >= _ENOUGH:
            break
        around = [(2 * at[0] + y, 2 * at[1] + x) for y, x in OFFSETS]
        found, at = max(((_correlation(a, b, shift), shift) for shift in around), key=lambda each: each[0])
        best = found if max(a.shape[1:]) <= _ENOUGH_SIDE else max(best, found)
    return best


def _correlation(first: Planes, second: Planes, shift: tuple[int, int]) -> float:
    (top, left), (height, width) = shift, first.shape[1:]
    a = first[:, max(0, top) : height + min(0, top), max(0, left) : width + min(0, left)]
    b = second[:, max(0, -top) : height + min(0, -top), max(0, -left) : width + min(0, -left)]
    x, y = (np.ascontiguousarray(each).reshape(len(each), -1) for each in (a, b))
    sums = x.sum(axis=1), y.sum(axis=1)
    both, ours, theirs = (
        _moment(*each) for each in ((x, y, *sums), (x, x, sums[0], sums[0]), (y, y, sums[1], sums[1]))
    )
    return both / math.sqrt(ours * theirs) if ours and theirs else 0.0


def _moment(a: Planes, b: Planes, sum_a: Planes, sum_b: Planes) -> float:
    # channel by channel: `@` of two rows is much faster than products that are kept and summed
    products = np.array([one @ other for one, other in zip(a, b, strict=True)])
    return float((a.shape[1] * products - sum_a * sum_b).sum())


def _halved(image: Planes) -> Planes:
    height, width = (side // 2 * 2 for side in image.shape[1:])
    even = image[:, :height, :width]
    return np.floor((even[:, 0::2, 0::2] + even[:, 1::2, 0::2] + even[:, 0::2, 1::2] + even[:, 1::2, 1::2] + 2) / 4)
