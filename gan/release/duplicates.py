"""Images that a release holds twice, or that an earlier one holds: exact by digest, nearly equal by small pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.release.fingerprints import Fingerprints
from gan.release.near_index import OFFSETS, SHIFT, Chosen, Near, NearIndex

Rows = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]

EXACT, NEAR = "duplicate", "near duplicate"
EXACT_EARLIER, NEAR_EARLIER = "duplicate of an earlier release", "near duplicate of an earlier release"
REASONS = (EXACT, NEAR, EXACT_EARLIER, NEAR_EARLIER)
LEVEL = 0.001
"""Share of honest images that may be called near duplicates."""
LEAST_REAL = 200
"""Real images from which on a threshold can be told."""

_INSIDE = -1
_MOST_REAL = 4000
_LOW, _MIDDLE = 0.01, 0.1  # quantiles of the real images' nearest distances that the power law goes through
_REPEAT = 1 / 3
_BLOCK = 500


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Rows to draw again, ascending, and what each repeats.

    Attributes:
        rows: [D] int64.
        reasons: [D] int64, places in `REASONS`.
        releases: [D] int64, which earlier release holds the other image; -1: this one does.
        others: [D] int64, the other image's row in its release; an earlier row where it is this one.
        distances: [D] float64 between the two pictures in grey levels, 0 of exact ones.
    """

    rows: Rows
    reasons: Rows
    releases: Rows
    others: Rows
    distances: Array

    def __len__(self) -> int:
        """Return D."""
        return len(self.rows)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows go, by reason; all reasons are there."""
        found = Counter(self.reasons.tolist())
        return {name: found[place] for place, name in enumerate(REASONS)}


def find_duplicates(
    fingerprints: Fingerprints,
    earlier: Sequence[Fingerprints] = (),
    *,
    threshold: float = 0.0,
    drawn_again: Rows | None = None,
) -> Duplicates:
    """Find images that repeat one of an earlier release or an earlier row of their own.

    Of two that are equal the later row goes, and of an image that an earlier release holds the new one. Equal pixels
    are always found; near duplicates by `NearIndex`, which misses some. The same arguments give the same rows on every
    machine. Memory beside the fingerprints is about 250 bytes for each image of the larger release.

    Args:
        fingerprints: of the whole release, in the order of its rows.
        earlier: of earlier releases, each looked at by itself; of pictures of another size only the digests.
        threshold: of `near_threshold`; 0 finds exact duplicates alone.
        drawn_again: rows [n] int64 that alone are new since the last search found the others to be none; near
            duplicates are looked for among these alone, which takes a fraction of the time. None looks at all.

    Raises:
        ValueError: the threshold is below 0 or not finite.
    """
    if not 0.0 <= threshold < float("inf"):
        raise ValueError(f"threshold = {threshold}, but it is a distance in grey levels from 0 up")
    search = _Search(fingerprints, drawn_again)
    for release, each in enumerate(earlier):
        search.exact_earlier(each, release)
    search.exact_inside()
    if threshold > 0.0:
        for release, each in enumerate(earlier):
            if each.pictures.shape[1:] == fingerprints.pictures.shape[1:] and len(each):
                search.near_earlier(each, release, threshold)
        search.near_inside(threshold)
    return search.result()


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
    distances = nearest_distances(real.take(looked_at))
    low, middle = np.quantile(distances, [_LOW, _MIDDLE])
    if low <= 0.0:  # the real images are repeats themselves
        return 0.0
    share = level * min(1.0, len(distances) / count)
    root = max(float(np.log(middle / low)), 1e-6) / np.log(_MIDDLE / _LOW)
    honest = distances[distances > _REPEAT * low]
    resolved = max(share, 1.0 / len(honest))
    seen = float(np.quantile(honest, resolved, method="lower")) * (share / resolved) ** root
    return float(np.floor(10.0 * min(seen, low * (share / _LOW) ** root)) / 10.0)


def nearest_distances(fingerprints: Fingerprints) -> Array:
    """Return the distance [N] float64 of each picture to the nearest other one, as `NearIndex` has it; all with all."""
    pictures = fingerprints.pictures
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


class _Search:
    """The rows of a release that are still kept, and what is known of those that go."""

    def __init__(self, fingerprints: Fingerprints, drawn_again: Rows | None) -> None:
        count = len(fingerprints)
        self.new = np.full(count, drawn_again is None)
        self.new[[] if drawn_again is None else drawn_again] = True
        self.fingerprints = fingerprints
        self.reasons = np.full(count, -1, np.int64)
        self.releases, self.others = np.full(count, _INSIDE, np.int64), np.zeros(count, np.int64)
        self.distances = np.zeros(count)

    @property
    def kept(self) -> Rows:
        return np.flatnonzero(self.reasons < 0)

    def result(self) -> Duplicates:
        rows = np.flatnonzero(self.reasons >= 0)
        return Duplicates(rows, self.reasons[rows], self.releases[rows], self.others[rows], self.distances[rows])

    def exact_earlier(self, earlier: Fingerprints, release: int) -> None:
        kept, theirs = self.kept, earlier.words
        order = theirs.argsort(kind="stable")
        ours = self.fingerprints.words[kept]
        places = np.searchsorted(theirs[order], ours).clip(max=max(0, len(theirs) - 1))
        if len(theirs):
            equal = theirs[order[places]] == ours
            self._go(kept[equal], EXACT_EARLIER, release, order[places[equal]], np.zeros(int(equal.sum())))

    def exact_inside(self) -> None:
        kept = self.kept
        words = self.fingerprints.words[kept]
        _, first, inverse = np.unique(words, return_index=True, return_inverse=True)
        firsts = first[inverse]
        again = np.flatnonzero(firsts != np.arange(len(kept)))
        self._go(kept[again], EXACT, _INSIDE, kept[firsts[again]], np.zeros(len(again)))

    def near_earlier(self, earlier: Fingerprints, release: int, threshold: float) -> None:
        kept = self.kept
        kept = kept[self.new[kept]]
        index = NearIndex(earlier.pictures, threshold)
        for near in index.near(Chosen(self.fingerprints.pictures, kept)):
            one = _first_of_each(near.queries, near.distances, near.rows)
            self._go(kept[near.queries[one]], NEAR_EARLIER, release, near.rows[one], near.distances[one])

    def near_inside(self, threshold: float) -> None:
        rows = self.kept
        new = np.flatnonzero(self.new[rows])
        while len(rows) > 1 and len(new):
            pairs = _Pairs(len(rows))
            index = NearIndex(Chosen(self.fingerprints.pictures, rows), threshold)
            for near in index.near(Chosen(self.fingerprints.pictures, rows[new])):
                pairs.add(near, new)
            later = np.flatnonzero(np.isfinite(pairs.distances))
            self._go(rows[later], NEAR, _INSIDE, rows[pairs.sooner[later]], pairs.distances[later])
            # of a bucket that was not looked through, what is left may be near one another still
            left = pairs.linked & ~np.isfinite(pairs.distances)
            rows = rows[left] if pairs.crowded.any() and len(later) else rows[:0]
            new = np.arange(len(rows))

    def _go(self, rows: Rows, reason: str, release: int, others: Rows, distances: Array) -> None:
        self.reasons[rows], self.releases[rows] = REASONS.index(reason), release
        self.others[rows], self.distances[rows] = others, distances


class _Pairs:
    """Of each row of a set the nearest one before it, and which rows have any near one at all."""

    def __init__(self, count: int) -> None:
        self.distances, self.sooner = np.full(count, np.inf), np.zeros(count, np.int64)
        self.linked, self.crowded = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self._done = 0

    def add(self, near: Near, looked_up: Rows) -> None:
        """Add what a block of the rows that are looked up found; in a class that has collapsed it is much."""
        self.crowded[looked_up[self._done : self._done + len(near.crowded)]] = near.crowded
        self._done += len(near.crowded)
        queries = looked_up[near.queries]
        other = queries != near.rows
        later, sooner = (pick(queries, near.rows)[other] for pick in (np.maximum, np.minimum))
        distances = near.distances[other]
        self.linked[later] = self.linked[sooner] = True
        one = _first_of_each(later, distances, sooner)
        later, sooner, distances = later[one], sooner[one], distances[one]
        known, known_sooner = self.distances[later], self.sooner[later]
        better = (distances < known) | ((distances == known) & (sooner < known_sooner))
        self.distances[later[better]], self.sooner[later[better]] = distances[better], sooner[better]


def _first_of_each(rows: Rows, distances: Array, others: Rows) -> Rows:
    # places of the nearest pair of each row, of equally near ones that with the first other row
    order = np.lexsort((others, distances, rows))
    new = np.ones(len(order), np.bool_)
    new[1:] = rows[order][1:] != rows[order][:-1]
    return order[new]
