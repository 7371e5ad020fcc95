"""Images that a release holds twice, or that an earlier one holds: exact by digest, nearly equal by small pictures."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.data.near_duplicates.near_index import Chosen, Near, NearIndex

Rows = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]

EXACT, NEAR = "duplicate", "near duplicate"
EXACT_EARLIER, NEAR_EARLIER = "duplicate of an earlier release", "near duplicate of an earlier release"
REASONS = (EXACT, NEAR, EXACT_EARLIER, NEAR_EARLIER)

_INSIDE = -1


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
    on_rows: Callable[[int], None] = lambda rows: None,
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
        on_rows: called with how many more rows have been looked up: all that are new in each earlier release, and in
            this one; some of them again where many are alike.

    Raises:
        ValueError: the threshold is below 0 or not finite.
    """
    if not 0.0 <= threshold < float("inf"):
        raise ValueError(f"threshold = {threshold}, but it is a distance in grey levels from 0 up")
    search = _Search(fingerprints, drawn_again, on_rows)
    for release, each in enumerate(earlier):
        search.exact_earlier(each, release)
    search.exact_inside()
    if threshold > 0.0:
        for release, each in enumerate(earlier):
            if each.pictures.shape[1:] == fingerprints.pictures.shape[1:] and len(each):
                search.near_earlier(each, release, threshold)
        search.near_inside(threshold)
    return search.result()


class _Search:
    """The rows of a release that are still kept, and what is known of those that go."""

    def __init__(self, fingerprints: Fingerprints, drawn_again: Rows | None, on_rows: Callable[[int], None]) -> None:
        count = len(fingerprints)
        self.on_rows = on_rows
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
        for near in self._looked_up(index, kept):
            one = _first_of_each(near.queries, near.distances, near.rows)
            self._go(kept[near.queries[one]], NEAR_EARLIER, release, near.rows[one], near.distances[one])

    def near_inside(self, threshold: float) -> None:
        rows = self.kept
        new = np.flatnonzero(self.new[rows])
        while len(rows) > 1 and len(new):
            pairs = _Pairs(len(rows))
            index = NearIndex(Chosen(self.fingerprints.pictures, rows), threshold)
            for near in self._looked_up(index, rows[new]):
                pairs.add(near, new)
            later = np.flatnonzero(np.isfinite(pairs.distances))
            self._go(rows[later], NEAR, _INSIDE, rows[pairs.sooner[later]], pairs.distances[later])
            # of a bucket that was not looked through, what is left may be near one another still
            left = pairs.linked & ~np.isfinite(pairs.distances)
            rows = rows[left] if pairs.crowded.any() and len(later) else rows[:0]
            new = np.arange(len(rows))

    def _looked_up(self, index: NearIndex, rows: Rows) -> Iterator[Near]:
        for near in index.near(Chosen(self.fingerprints.pictures, rows)):
            yield near
            self.on_rows(len(near.crowded))

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
