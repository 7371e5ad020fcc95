"""Small grey pictures that are nearly equal, found among millions without comparing all with all."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gan.device.cores import cores

Pictures = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Coefficients = npt.NDArray[np.int32]

SHIFT = 1
"""Pixels of a picture, in each direction, that two nearly equal ones may be shifted by."""
OFFSETS = tuple(sorted(((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)), key=lambda at: (at < (0, 0), at)))
"""All shifts; the first half has one of each and the opposite one."""
_HALF = len(OFFSETS) // 2 + 1
_COEFFICIENTS, _IN_A_KEY, _TABLES = 24, 8, 6
_WIDTH = 24  # of a cell, in thresholds
_NEIGHBOURS = 12  # before and behind its place in a bucket, that a picture is compared with
_ROWS = 2048  # compared at once
_BLOCK = 2**14  # looked up at once
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
        height, width = pictures.shape[1], pictures.shape[2]
        basis = _basis(height - 2 * SHIFT, width - 2 * SHIFT)
        self._pixels, count = basis.shape
        self._basis = _moved(basis, height, width)
        self._scale = 32.0 * math.sqrt(self._pixels)
        self._cell = max(1, round(_WIDTH * threshold * self._scale))
        self._bound = _SLACK * self._pixels * (threshold * self._scale) ** 2
        self._columns = np.empty((count, len(pictures)), np.int32)
        for start in range(0, len(pictures), _ROWS):
            block = slice(start, start + _ROWS)
            self._columns[:, block] = self._transformed(pictures[block], 1)[0]
        self._tables = [_Table(number, count, self._cell) for number in range(_TABLES)]
        for table in self._tables:
            table.sort(self._columns)

    def near(self, pictures: Pictures | Chosen, *, all_of_it: bool = False) -> Iterator[Near]:
        """Yield what is nearly equal to pictures [Q, h, w] uint8, in blocks of these; of a set itself, itself, too.

        Blocks are looked up on all cores at once; each takes about 50 MB.

        Args:
            pictures: what is looked up.
            all_of_it: whether these are all pictures of the index: a pair then comes up twice, and is tried at half of
                the shifts from each side.
        """
        shifts = _HALF if all_of_it else len(OFFSETS)
        if len(pictures) <= _BLOCK:  # threads would wait for each other, and for nothing
            yield from self._block(pictures, 0, shifts) if len(pictures) else ()
            return
        starts = iter(range(0, len(pictures), _BLOCK))
        with ThreadPoolExecutor(cores()) as pool:
            running = deque(pool.submit(self._block, pictures, start, shifts) for start in islice(starts, cores()))
            try:
                while running:
                    found = running.popleft().result()
                    running.extend(pool.submit(self._block, pictures, start, shifts) for start in islice(starts, 1))
                    yield from found
            finally:
                for future in running:
                    future.cancel()

    def _block(self, pictures: Pictures | Chosen, start: int, shifts: int) -> list[Near]:
        block = pictures[start : start + _BLOCK]
        coefficients = self._transformed(block, shifts)
        places = [table.places(coefficients) for table in self._tables]
        found = []
        for begin in range(0, len(block), _ROWS):
            rows = slice(begin, begin + _ROWS)
            here = [(wanted[:, rows], at[:, rows]) for wanted, at in places]
            near = self._near(block[rows], coefficients[:, :, rows], here)
            found.append(near._replace(queries=near.queries + start + begin))
        return found

    def _near(self, pictures: Pictures, coefficients: Coefficients, places: Sequence[tuple[Keys, Rows]]) -> Near:
        # coefficients [offsets, C, n] of n pictures, and of each table their keys and places [offsets, n] there
        count, size = len(pictures), max(1, len(self.pictures))
        crowded = np.zeros(count, np.bool_)
        moved = coefficients.transpose(1, 0, 2).reshape(coefficients.shape[1], -1)
        pairs = []
        for table, (wanted, at) in zip(self._tables, places, strict=True):
            queries, rows = table.in_buckets(wanted.ravel(), at.ravel(), crowded)
            total = np.zeros(len(rows))
            for column in table.order:
                apart = (self._columns[column].take(rows) - moved[column].take(queries)).astype(np.float64)
                total += apart * apart
                close = total <= self._bound
                queries, rows, total = queries[close], rows[close], total[close]
            pairs.append(queries * size + rows)
        moves, rows = np.divmod(np.unique(np.concatenate(pairs)), size)
        squared = self._squared(pictures, moves, rows)
        near = squared <= self.threshold**2
        q, r, d = moves[near] % max(1, count), rows[near], np.sqrt(squared[near])
        order = np.lexsort((d, r, q))
        q, r, d = q[order], r[order], d[order]
        first = np.ones(len(q), np.bool_)
        first[1:] = (q[1:] != q[:-1]) | (r[1:] != r[:-1])
        return Near(q[first], r[first], d[first], crowded)

    def _squared(self, pictures: Pictures, moves: Rows, rows: Rows) -> npt.NDArray[np.float64]:
        # of pairs, ascending: move = offset * n + query
        squared = np.empty(len(rows))
        ends = np.searchsorted(moves, np.arange(len(OFFSETS) + 1) * len(pictures))
        for offset, begin, end in zip(OFFSETS, ends[:-1], ends[1:], strict=True):
            for start in range(begin, end, _ROWS):
                block = slice(start, min(start + _ROWS, end))
                theirs = middle_of(self.pictures[rows[block]])
                apart = theirs - middle_of(pictures[moves[block] % len(pictures)], offset)
                total = apart.sum(axis=1, dtype=np.int64)
                squares = np.einsum("nd,nd->n", apart, apart).astype(np.int64)  # below 2^26
                squared[block] = (self._pixels * squares - total * total) / self._pixels**2
        return squared

    def _transformed(self, pictures: Pictures, offsets: int) -> Coefficients:
        # [offsets, C, n]. Sums of whole numbers below 2^24 are exact in float32, in whatever order they are summed: the
        # largest is 64 * 255 * 30 * 30
        flat = pictures.reshape(len(pictures), -1).astype(np.float32)
        count = len(self._columns)
        found = self._basis[: offsets * count] @ flat.T
        return found.astype(np.int32).reshape(offsets, count, len(pictures))


class _Table:
    """Pictures in buckets, which some of their coefficients name, in the order of another one.

    Args:
        number: of the table.
        count: coefficients of a picture, C.
        cell: width of a cell.
    """

    def __init__(self, number: int, count: int, cell: int) -> None:
        taken = min(_IN_A_KEY, count - 1)
        step = next(each for each in (7, 5, 3, 1) if math.gcd(each, count) == 1)
        self.number, self.cell = number, cell
        self.chosen = [(5 * number + step * place) % count for place in range(taken)]
        self.along = next(column for column in range(count) if column not in self.chosen)
        # what shares a bucket is told apart soonest by coefficients that do not name it
        self.order = sorted(range(count), key=lambda column: (column in self.chosen, column))

    def sort(self, columns: Coefficients) -> None:
        """Put pictures, whose coefficients are [C, N], into buckets."""
        keys = self._keys_of(columns)
        order = keys.argsort(kind="stable")
        self.rows = order.astype(np.int32 if len(order) < 2**31 else np.int64)
        self.keys = keys[order]

    def places(self, coefficients: Coefficients) -> tuple[Keys, Rows]:
        """Return keys of pictures [offsets, C, n], and their places among those that are there, each [offsets, n]."""
        offsets, count, n = coefficients.shape
        wanted = self._keys_of(coefficients.transpose(1, 0, 2).reshape(count, -1))
        at = np.empty(len(wanted), np.int64)
        order = wanted.argsort()  # neighbours are then looked up one after the other: a third of the time
        at[order] = np.searchsorted(self.keys, wanted[order])
        return wanted.reshape(offsets, n), at.reshape(offsets, n)

    def in_buckets(self, wanted: Keys, at: Rows, crowded: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
        """Return pairs that share a bucket, as places in `wanted` and rows.

        Args:
            wanted: [offsets * n] keys.
            at: their places.
            crowded: [n], set where a bucket holds more than is compared.
        """
        if not len(self.keys):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        last, bucket = len(self.keys) - 1, wanted >> _LOW_BITS
        before, behind = (self.keys.take((at + step).clip(0, last)) >> _LOW_BITS == bucket for step in (-1, 0))
        there = np.flatnonzero(before | behind)  # of the others the bucket is empty
        window = at.take(there)[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS)
        inside = window.clip(0, last)
        same = (window == inside) & (self.keys.take(inside) >> _LOW_BITS == bucket.take(there)[:, None])
        crowded[there[same[:, 0] | same[:, -1]] % len(crowded)] = True
        places, columns = same.nonzero()
        return there.take(places), self.rows.take(inside[places, columns]).astype(np.int64)

    def _keys_of(self, columns: Coefficients) -> Keys:
        mixed = np.full(columns.shape[1], 0x9E3779B97F4A7C15, np.uint64)
        for place, column in enumerate(self.chosen):
            moved = round((0.6180339887 * (self.number * _IN_A_KEY + place + 1) % 1.0) * self.cell)
            cells = (columns[column].astype(np.int64) + moved) // self.cell
            mixed = _mix(mixed ^ cells.astype(np.uint64))
        within = (columns[self.along].astype(np.int64) >> 2) + (1 << 23)
        keys: Keys = (mixed >> _LOW_BITS << _LOW_BITS) | within.clip(0, (1 << 24) - 1).astype(np.uint64)
        return keys


def middle_of(pictures: Pictures, offset: tuple[int, int] = (0, 0)) -> npt.NDArray[np.int32]:
    """Return the middles [n, pixels] of pictures [n, h, w], whose border of one pixel lies where the offset says."""
    top, left = SHIFT + offset[0], SHIFT + offset[1]
    height, width = pictures.shape[1] - 2 * SHIFT, pictures.shape[2] - 2 * SHIFT
    middle = pictures[:, top : top + height, left : left + width]
    return middle.reshape(len(pictures), -1).astype(np.int32)


def _basis(height: int, width: int) -> npt.NDArray[np.float64]:
    # [pixels, coefficients]: the lowest of the cosine transform but the mean, times 32 sqrt(pixels), as whole numbers
    frequencies = sorted((u * u + v * v, u, v) for u in range(height) for v in range(width))[1 : _COEFFICIENTS + 1]
    y, x = np.arange(height) + 0.5, np.arange(width) + 0.5
    columns = []
    for _, u, v in frequencies:
        weight = 32.0 * math.sqrt((2 if u else 1) * (2 if v else 1))
        columns.append(weight * np.outer(np.cos(math.pi * u * y / height), np.cos(math.pi * v * x / width)).ravel())
    return np.rint(np.stack(columns, axis=1))


def _moved(basis: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.float32]:
    # [offsets * C, height * width]: the basis where each offset has the middle
    moved = np.zeros((len(OFFSETS), basis.shape[1], height, width), np.float32)
    for place, (y, x) in enumerate(OFFSETS):
        rows, columns = slice(SHIFT + y, height - SHIFT + y), slice(SHIFT + x, width - SHIFT + x)
        moved[place, :, rows, columns] = basis.T.reshape(-1, height - 2 * SHIFT, width - 2 * SHIFT)
    return moved.reshape(-1, height * width)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # Steele et al., Fast Splittable Pseudorandom Number Generators, 2014: the finaliser of SplitMix64
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
