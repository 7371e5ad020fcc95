"""Repeats in a release on its way: fingerprints as bytes, and the search among them, which says how far it is."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.device.cores import cores
from gan.release.duplicates import Duplicates, find_duplicates
from gan.release.rows import Rows
from tasks.generate.packed import Counting

Packed = npt.NDArray[np.uint8]
Images = npt.NDArray[np.uint8]
SEARCHING = "looking for repeats"
_DIGEST_BYTES = 16
_GROWTH = 1.19  # a search among a million takes 134 times as long as one among 16,384: more of them share a bucket


@dataclass(frozen=True)
class Forecast:
    """What a search is expected to be like.

    Attributes:
        seconds: that it takes.
        seconds_again: that one takes for the few images that were drawn again: the others have to be put in order.
        repeats: that it finds.
    """

    seconds: float
    seconds_again: float
    repeats: float


class Repeats:
    """Finds the duplicates among the packed fingerprints of a release.

    Args:
        side: (h, w) of their pictures.
        earlier: of earlier releases.
        threshold: of `near_threshold`.
        counting: called with what is looked at next, and how many images; returns what counts them.
    """

    def __init__(
        self,
        side: Sequence[int],
        earlier: Sequence[Fingerprints],
        threshold: float,
        counting: Counting,
    ) -> None:
        self.side = side
        self.earlier = earlier
        self.threshold = threshold
        self.counting = counting
        self._last: tuple[bytes, Duplicates] | None = None

    def __call__(self, packed: Packed, drawn_again: Rows | None = None) -> Duplicates:
        """Search all rows [N, B], or what repeats these [n] int64; the same rows are not searched twice in a row."""
        digest = hashlib.sha256(np.ascontiguousarray(packed).data).digest()
        if self._last and self._last[0] == digest:
            return self._last[1]
        looked_up = len(packed) if drawn_again is None else len(drawn_again)
        total, done = looked_up * (1 + len(self.earlier)), 0
        show = self.counting(SEARCHING, total)

        def count(more: int) -> None:
            nonlocal done
            done = min(done + more, total)
            show(done)

        count(0)
        prints = unpack(packed, self.side)
        found = find_duplicates(prints, self.earlier, threshold=self.threshold, drawn_again=drawn_again, on_rows=count)
        show(total)  # equal ones were not looked up
        self._last = digest, found
        return found

    def forecast(self, images: Images, count: int) -> Forecast:
        """Tell by a search among some images [n, H, W, C] what one among `count` takes on all cores, and finds."""
        few = Fingerprints.of(images)
        times = [time.perf_counter()]
        found = find_duplicates(few, threshold=self.threshold)
        times.append(time.perf_counter())
        find_duplicates(few, threshold=self.threshold, drawn_again=np.arange(1))
        times.append(time.perf_counter())
        (alone, again), more = np.diff(times), count / len(few)
        others = sum((count + len(earlier)) / (2 * count) for earlier in self.earlier)
        pairs = count * (count + 2 * sum(len(earlier) for earlier in self.earlier)) / len(few) ** 2
        return Forecast(
            seconds=float(alone * more**_GROWTH * (1 + others) / cores()),
            seconds_again=float(again * more * (1 + others)),
            repeats=min(len(found) * pairs, count),
        )

    def rows(self, packed: Packed, drawn_again: Rows | None) -> list[int]:
        """As `Selection.duplicates`."""
        return [int(row) for row in self(packed, drawn_again).rows]


def pack(images: Images) -> Packed:
    """Take the fingerprints of images [n, H, W, C] as rows of bytes [n, B]."""
    found = Fingerprints.of(images)
    digests = found.digests.astype("<u8").view(np.uint8).reshape(len(images), _DIGEST_BYTES)
    return np.concatenate([digests, found.pictures.reshape(len(images), -1)], axis=1)


def unpack(packed: Packed, side: Sequence[int]) -> Fingerprints:
    """Return the fingerprints of `pack`, whose pictures are `side` = (h, w)."""
    digests = np.ascontiguousarray(packed[:, :_DIGEST_BYTES]).view("<u8").astype(np.uint64)
    return Fingerprints(digests, packed[:, _DIGEST_BYTES:].reshape(len(packed), *side))
