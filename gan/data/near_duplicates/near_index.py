"""Small grey pictures that are nearly equal, found among millions without comparing all with all."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Pictures = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Whole = npt.NDArray[np.int64]

SHIFT = 1
"""Pixels of a picture, in each direction, that two nearly equal ones may be shifted by."""
OFFSETS = tuple(sorted(((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)), key=lambda at: (at != (0, 0), at)))
HALF = tuple(at for at in OFFSETS if at >= (0, 0))
"""One of each shift and the opposite one: enough where every picture of a set is looked up in the set itself."""
_COEFFICIENTS, _IN_A_KEY, _TABLES = 24, 8, 6
_WIDTH = 24  # of a cell, in thresholds
_NEIGHBOURS = 12  # before and behind its place in a bucket, that a picture is compared with
_ROWS = 1024  # looked up at once
_SLACK = 1.2  # of the bound by coefficients, whose basis is rounded
_LOW_BITS = np.uint64(24)


class Near(NamedTuple):
    """Pairs that were found.

    Attributes:
        queries: [P] int64, rows of the pictures that were looked up.
        rows: [P] int64, of the index.
        distances: [P] float64, root of the mean squared difference in grey levels, each less its mean.
        crowded: [Q] bool, of each picture that was looked up, whether a bucket held more than it was compared with.
    """

    queries: Rows
    rows: Rows
    distances: npt.NDArray[np.float64]
    crowded: npt.NDArray[np.bool_]


class Chosen:
    """Some pictures of many, read where they are looked at.

    Args:
        pictures: [N, h, w] uint8, possibly mapped from a file.
        rows: [n] int64, which.
    """

    def __init__(self, pictures: Pictures, rows: Rows) -> None:
        self.pictures, self.rows = pictures, rows

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, h, w)."""
        return (len(self.rows), *self.pictures.shape[1:])

    def __len__(self) -> int:
        """Return n."""
        return len(self.rows)

    def __getitem__(self, which: slice | Rows) -> Pictures:
        """Read some of them."""
        return self.pictures[self.rows[which]]


class NearIndex:
    """Pictures [N, h, w] uint8, h and w from 4 to 32, in which nearly equal ones are looked up.

    The distance of two pictures is that of their middles, without a border of one pixel, at the best of the nine shifts
    by up to one pixel. In each of six tables a picture lies in the bucket that the cells of 8 of the 24 lowest
    coefficients of its cosine transform name, in the order of another one; a shifted picture is looked up under the key
    of each of its nine middles. The cells are 24 thresholds wide: noise of the size of the threshold leaves its cell
    in one of 30 coefficients. What shares a bucket, a window of it, is compared first by coefficients, which no near
    pair fails, and then by pixels. All in whole numbers, so that every machine finds the same.

    About 170 bytes are kept of each picture beside itself, and the pictures may be mapped from a file.

    Args:
        pictures: as above.
        threshold: distance in grey levels up to which two are nearly equal, above 0.

    Reference: Datar et al., Locality-Sensitive Hashing Scheme Based on p-Stable Distributions, 2004; Hernández and
    Stolfo, The Merge/Purge Problem for Large Databases, 1995, for the window.
    """

    def __init__(self, pictures: Pictures | Chosen, threshold: float) -> None:
        self.pictures, self.threshold = pictures, threshold
        self._basis = _basis(pictures.shape[1] - 2 * SHIFT, pictures.shape[2] - 2 * SHIFT)
        pixels, count = self._basis.shape
        self._scale = 32.0 * math.sqrt(pixels)
        self._cell = max(1, round(_WIDTH * threshold * self._scale))
        self._bound = _SLACK * pixels * (threshold * self._scale) ** 2
        self._coefficients = np.empty((len(pictures), count), np.int32)
        for start in range(0, len(pictures), _ROWS):
            block = slice(start, start + _ROWS)
            self._coefficients[block] = self._transform(middle_of(pictures[block]))
        self._orders, self._keys = [], []
        for table in range(_TABLES):
            keys = self._key(self._coefficients, table)
            order = keys.argsort(kind="stable")
            self._orders.append(order.astype(np.int32 if len(order) < 2**31 else np.int64))
            self._keys.append(keys[order])

    def near(self, pictures: Pictures | Chosen, offsets: Sequence[tuple[int, int]] = OFFSETS) -> Iterator[Near]:
        """Yield what is nearly equal to pictures [Q, h, w] uint8, in blocks of these; of a set itself, itself, too.

        Args:
            pictures: what is looked up.
            offsets: the shifts that are tried.
        """
        for start in range(0, len(pictures), _ROWS):
            found = self._near(pictures[start : start + _ROWS], offsets)
            yield found._replace(queries=found.queries + start)

    def _near(self, pictures: Pictures, offsets: Sequence[tuple[int, int]]) -> Near:
        crowded = np.zeros(len(pictures), np.bool_)
        queries, rows, distances = [], [], []
        for offset in offsets:
            middles = middle_of(pictures, offset)
            coefficients = self._transform(middles)
            pairs = [self._in_buckets(coefficients, table, crowded) for table in range(_TABLES)]
            q, r = np.divmod(np.unique(np.concatenate(pairs)), max(1, len(self.pictures)))
            squared = self._squared(middles, q, r)
            near = squared <= self.threshold**2
            queries.append(q[near])
            rows.append(r[near])
            distances.append(np.sqrt(squared[near]))
        q, r, d = np.concatenate(queries), np.concatenate(rows), np.concatenate(distances)
        order = np.lexsort((d, r, q))
        q, r, d = q[order], r[order], d[order]
        first = np.ones(len(q), np.bool_)
        first[1:] = (q[1:] != q[:-1]) | (r[1:] != r[:-1])
        return Near(q[first], r[first], d[first], crowded)

    def _in_buckets(self, coefficients: Whole, table: int, crowded: npt.NDArray[np.bool_]) -> Rows:
        # pairs as query * N + row, that share a bucket and are no farther apart by their coefficients than near ones
        keys, wanted = self._keys[table], self._key(coefficients, table)
        if not len(keys):
            return np.empty(0, np.int64)
        at = np.searchsorted(keys, wanted)[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS)
        there = at.clip(0, len(keys) - 1)
        same = (at == there) & (keys[there] >> _LOW_BITS == wanted[:, None] >> _LOW_BITS)
        crowded |= same[:, 0] | same[:, -1]
        queries, places = same.nonzero()
        rows = self._orders[table][there[queries, places]].astype(np.int64)
        apart = (self._coefficients[rows] - coefficients[queries]).astype(np.float64)
        close = np.einsum("nc,nc->n", apart, apart) <= self._bound
        result: Rows = queries[close] * len(self.pictures) + rows[close]
        return result

    def _squared(self, middles: Whole, queries: Rows, rows: Rows) -> npt.NDArray[np.float64]:
        squared = np.empty(len(rows))
        for start in range(0, len(rows), _ROWS):
            block = slice(start, start + _ROWS)
            apart = middle_of(self.pictures[rows[block]]) - middles[queries[block]]
            total, squares = apart.sum(axis=1), np.einsum("nd,nd->n", apart, apart)
            pixels = apart.shape[1]
            squared[block] = (pixels * squares - total * total) / pixels**2
        return squared

    def _transform(self, middles: Whole) -> npt.NDArray[Any]:
        # products of whole numbers below 2^53 are exact in float64, in whatever order they are summed
        return np.rint(middles.astype(np.float64) @ self._basis).astype(np.int32)

    def _key(self, coefficients: npt.NDArray[Any], table: int) -> npt.NDArray[np.uint64]:
        count = coefficients.shape[1]
        taken = min(_IN_A_KEY, count - 1)
        step = next(each for each in (7, 5, 3, 1) if math.gcd(each, count) == 1)
        chosen = [(5 * table + step * place) % count for place in range(taken)]
        mixed = np.full(len(coefficients), 0x9E3779B97F4A7C15, np.uint64)
        for place, column in enumerate(chosen):
            moved = round((0.6180339887 * (table * _IN_A_KEY + place + 1) % 1.0) * self._cell)
            cells = (coefficients[:, column].astype(np.int64) + moved) // self._cell
            mixed = _mix(mixed ^ cells.astype(np.uint64))
        along = next(column for column in range(count) if column not in chosen)
        within = (coefficients[:, along].astype(np.int64) >> 2) + (1 << 23)
        return (mixed >> _LOW_BITS << _LOW_BITS) | within.clip(0, (1 << 24) - 1).astype(np.uint64)


def middle_of(pictures: Pictures, offset: tuple[int, int] = (0, 0)) -> Whole:
    """Return the middles [n, pixels] of pictures [n, h, w], whose border of one pixel lies where the offset says."""
    top, left = SHIFT + offset[0], SHIFT + offset[1]
    height, width = pictures.shape[1] - 2 * SHIFT, pictures.shape[2] - 2 * SHIFT
    middle = pictures[:, top : top + height, left : left + width]
    return middle.reshape(len(pictures), -1).astype(np.int64)


def _basis(height: int, width: int) -> npt.NDArray[np.float64]:
    # [pixels, coefficients]: the lowest of the cosine transform but the mean, times 32 sqrt(pixels), as whole numbers
    frequencies = sorted((u * u + v * v, u, v) for u in range(height) for v in range(width))[1 : _COEFFICIENTS + 1]
    y, x = np.arange(height) + 0.5, np.arange(width) + 0.5
    columns = []
    for _, u, v in frequencies:
        weight = 32.0 * math.sqrt((2 if u else 1) * (2 if v else 1))
        columns.append(weight * np.outer(np.cos(math.pi * u * y / height), np.cos(math.pi * v * x / width)).ravel())
    return np.rint(np.stack(columns, axis=1))


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # Steele et al., Fast Splittable Pseudorandom Number Generators, 2014: the finaliser of SplitMix64
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
