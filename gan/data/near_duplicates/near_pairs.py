"""Pairs of a set's images that are nearer to one another than images of the set are by chance."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.near_index import NearIndex, Pictures, Rows, middle_of
from gan.data.near_duplicates.near_threshold import nearest_distances
from gan.data.near_duplicates.nearness import explained, score_threshold

Array = npt.NDArray[np.float64]

LEAST = 20
"""Images from which on pairs are looked for."""
EXPECTED = 0.1
"""Images that chance alone may bring so near to another one, of the whole set."""
HIGHEST, CERTAIN = 0.5, 0.1
"""Scores beyond which no two images are near duplicates, and below which chance brings none."""

FEWEST_FOR_CHANCE = 200
"""Images from which on they tell what chance does."""

_SAMPLE = 2000  # images by which it is told
_RANK = 10  # of the neighbour that says how near images are where an image lies
_FARTHEST = 16.0  # grey levels; the index would have to compare too many that are farther apart
_BEYOND = 1.5  # times the threshold, that pairs are looked for: the nearest that are no duplicates are shown
_SHOWN, _OF_EACH = 64, 4


class NearPairs(NamedTuple):
    """Pairs that are near, by score: the nearest ones of each image, and the first that are no near duplicates.

    Attributes:
        first: [P] int64, rows.
        second: [P] int64, rows; each is larger than the one in `first`.
        scores: [P] float64, ascending: the distance of the two pictures beside that of an image there to its tenth
            nearest.
        threshold: score up to which two are near duplicates.
    """

    first: Rows
    second: Rows
    scores: Array
    threshold: float


def find_near_pairs(pictures: Pictures) -> NearPairs:
    """Find the pairs among pictures [N, h, w] uint8, h and w from 4 to 32, N from `LEAST` up; possibly mapped.

    Two images are near by how their distance, at the best shift by up to one pixel, compares with the distances around
    them: the score is it divided by the distance to the tenth nearest of a sample, of the two images the smaller one.
    So plain skies, which are near to all plain skies, are no duplicates, and two photographs that are farther from each
    other than those can be. Where chance ends is told by the sample: the threshold is such that of all N images
    `EXPECTED` have a lower score by chance, as `score_threshold` extrapolates it. It is `CERTAIN` where fewer than 200
    images, or more that repeat each other than not, tell nothing of chance.

    Found are copies that were shifted by a pixel, made brighter, recompressed or rescaled, as far as images of the set
    differ more among themselves; not those that were mirrored, turned or cropped. Of images of which each resembles
    tens of others, as frames of a film, none is nearer than what is around it.

    The same pictures give the same pairs on every machine. Memory beside the pictures is about 200 bytes for each.

    Reference: Lowe, Distinctive Image Features from Scale-Invariant Keypoints, 2004, section 7.1, for telling a match
    by the ratio of two distances.
    """
    around = _Surroundings(pictures)
    threshold = around.threshold()
    index = NearIndex(pictures, around.reach(threshold))
    blocks, beyond = [], np.empty((0, 3))
    for near in index.near(pictures, all_of_it=True):
        others = near.queries != near.rows
        queries, rows = near.queries[others], near.rows[others]
        scores = around.scores(queries, rows, near.distances[others])
        found = np.stack([np.minimum(queries, rows), np.maximum(queries, rows), scores], axis=1)
        taken = scores <= threshold
        blocks.append(found[taken][_first_few(queries[taken], scores[taken])])
        beyond = _once(np.concatenate([beyond, found[~taken]]))[:_SHOWN]
    pairs = np.concatenate([_once(np.concatenate(blocks)), beyond])
    return NearPairs(pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64), pairs[:, 2], threshold)


class _Surroundings:
    """How near to one another images are where an image lies, told by a sample that is evenly spread over the rows."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures, count = pictures, len(pictures)
        self.rows = np.linspace(0, count - 1, min(count, _SAMPLE)).round().astype(np.int64)
        self.sample = _centred(pictures[self.rows])
        self.widths = np.full(count, np.nan)

    def threshold(self) -> float:
        """Return the score up to which two images are near duplicates."""
        count, sampled = len(self.pictures), len(self.rows)
        if sampled < FEWEST_FOR_CHANCE:
            return CERTAIN
        scores = _beside(nearest_distances(self.pictures[self.rows]), self.around(self.rows))
        chance = explained(scores[scores >= CERTAIN])
        if 2 * len(chance) < sampled:
            return CERTAIN
        # the nearest one of the sample was seen, but there are count / sampled times as many that may be nearer
        score = score_threshold(chance, EXPECTED / count * (sampled / count))
        return float(np.floor(100.0 * min(score, HIGHEST)) / 100.0)

    def reach(self, threshold: float) -> float:
        """Return up to which distance pairs are looked for, in grey levels."""
        widest = _BEYOND * threshold * float(np.median(self.around(self.rows)))
        return float(np.floor(10.0 * min(max(widest, 0.1), _FARTHEST)) / 10.0)

    def scores(self, first: Rows, second: Rows, distances: Array) -> Array:
        """Return the scores [P] of pairs."""
        return _beside(distances, np.minimum(self.around(first), self.around(second)))

    def around(self, rows: Rows) -> Array:
        """Return the distance [n] of each of these images to the tenth nearest of the sample."""
        missing = np.unique(rows[np.isnan(self.widths[rows])])
        for start in range(0, len(missing), _SAMPLE):
            block = missing[start : start + _SAMPLE]
            self.widths[block] = self._widths(block)
        widths: Array = self.widths[rows]
        return widths

    def _widths(self, rows: Rows) -> Array:
        images, others = _centred(self.pictures[rows]), self.sample
        # products of whole numbers that are exact in float32, in whatever order they are summed
        products = (images @ others.T).astype(np.float64)
        pixels = images.shape[1]
        squares = (np.square(each, dtype=np.float64).sum(axis=1) for each in (images, others))
        totals = (each.sum(axis=1, dtype=np.float64) for each in (images, others))
        squared = pixels * (np.add.outer(*squares) - 2.0 * products) - np.square(np.subtract.outer(*totals))
        squared[rows[:, None] == self.rows] = np.inf
        rank = min(_RANK, len(self.rows) - 1) - 1
        tenth: Array = np.sqrt(np.partition(squared, rank, axis=1)[:, rank]) / pixels
        return tenth


def _centred(pictures: Pictures) -> npt.NDArray[np.float32]:
    # from -128 to 127: sums of 900 products stay below 2^24
    return (middle_of(pictures) - 128).astype(np.float32)


def _beside(distances: Array, widths: Array) -> Array:
    # where ten are equal none is nearer than what is around it
    return np.divide(distances, widths, out=np.ones_like(distances), where=widths > 0.0)


def _first_few(queries: Rows, scores: Array) -> Rows:
    # places of the few lowest scores of each query
    order = np.lexsort((scores, queries))
    ordered = queries[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    few: Rows = order[rank < _OF_EACH]
    return few


def _once(pairs: Array) -> Array:
    # [P, 3] of first, second and score: each pair once, at its lowest score, by score
    pairs = pairs[np.lexsort((pairs[:, 2], pairs[:, 1], pairs[:, 0]))]
    new = np.ones(len(pairs), np.bool_)
    new[1:] = (pairs[1:, :2] != pairs[:-1, :2]).any(axis=1)
    pairs = pairs[new]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0], pairs[:, 2]))]
