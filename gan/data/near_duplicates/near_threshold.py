"""From which distance on two small pictures are too near for chance, by what real images do among themselves."""

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.data.near_duplicates.near_index import OFFSETS, SHIFT, Pictures

Array = npt.NDArray[np.float64]

LEVEL = 0.001
"""Share of honest images that may be called near duplicates."""
LEAST_REAL = 200
"""Real images from which on a threshold can be told."""

_MOST_REAL = 4000
_LOW, _MIDDLE = 0.01, 0.1  # quantiles of the real images' nearest distances that the power law goes through
_REPEAT = 1 / 3
_BLOCK = 500


def near_threshold(real: Fingerprints, count: int, *, level: float = LEVEL) -> float:
    """Return the distance up to which two of `count` images are near duplicates, by what real images do.

    Honest images are sometimes nearly alike, the more often the more there are: the threshold is such that of `count`
    images like the real ones a share of `level` has such a neighbour, and no larger for fewer images than the real
    ones that are looked at. Many images need far smaller shares than few real ones show, so the lower tail of the
    distances to the nearest other real image is taken for a power law through its 1 % and 10 % points; where the real
    images are nearer to one another than it says, they decide. What lies below a third of the 1 % point is no chance:
    there the real images repeat themselves, which lowers no threshold while it is less than 1 %. Repeats are found all
    the same: of 60,000 images of Fashion-MNIST 62 go at the threshold for so many (9.1), 33 of these at less than 6
    grey levels.

    Args:
        real: of real images; 4,000 of them, evenly spread over the rows, are compared with one another.
        count: images among which each is looked for: those of the release and of the earlier ones.
        level: share of honest images that may have such a neighbour, in (0, 0.1].

    Returns:
        Grey levels, in tenths; 0, which finds exact duplicates alone, with fewer than 200 real images.

    Raises:
        ValueError: count or level is out of range.
    """
    if count < 1 or not 0.0 < level <= 0.1:
        raise ValueError(f"count = {count} and level = {level}, but count is from 1 up and level in (0, 0.1]")
    if len(real) < LEAST_REAL:
        return 0.0
    looked_at = np.linspace(0, len(real) - 1, min(len(real), _MOST_REAL)).round().astype(np.int64)
    distances = nearest_distances(real.pictures[looked_at])
    low, middle = np.quantile(distances, [_LOW, _MIDDLE])
    if low <= 0.0:  # the real images are repeats themselves
        return 0.0
    share = level * min(1.0, len(distances) / count)
    root = max(float(np.log(middle / low)), 1e-6) / np.log(_MIDDLE / _LOW)
    honest = distances[distances > _REPEAT * low]
    resolved = max(share, 1.0 / len(honest))
    seen = float(np.quantile(honest, resolved, method="lower")) * (share / resolved) ** root
    return float(np.floor(10.0 * min(seen, low * (share / _LOW) ** root)) / 10.0)


def nearest_distances(pictures: Pictures) -> Array:
    """Return the distance [N] float64 of each picture to the nearest other one, as `NearIndex` has it; all with all."""
    height, width = (side - 2 * SHIFT for side in pictures.shape[1:])
    middles = {}
    for y, x in OFFSETS:
        middle = pictures[:, SHIFT + y : SHIFT + y + height, SHIFT + x : SHIFT + x + width]
        flat = middle.reshape(len(pictures), -1).astype(np.float32)
        middles[y, x] = flat - flat.mean(axis=1, keepdims=True)
    fixed = middles[OFFSETS[0]]
    lengths, nearest = np.square(fixed).sum(axis=1), np.full(len(pictures), np.inf, np.float32)
    for moved in middles.values():
        for start in range(0, len(pictures), _BLOCK):
            block = moved[start : start + _BLOCK]
            squared = np.square(block).sum(axis=1)[:, None] + lengths - 2 * block @ fixed.T
            own = np.arange(len(block))
            squared[own, start + own] = np.inf
            nearest[start : start + _BLOCK] = np.minimum(nearest[start : start + _BLOCK], squared.min(axis=1))
    result: Array = np.sqrt(nearest.clip(min=0.0).astype(np.float64) / (height * width))
    return result
