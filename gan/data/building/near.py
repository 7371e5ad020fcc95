"""Near duplicates among the images of a planned dataset: which there are, and which of them can go."""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.configuration.config import DataConfig
from gan.data.building.assemble import images_of
from gan.data.building.part_store import PartStore
from gan.data.building.plan import FEWEST, Plan
from gan.data.near_duplicates.alignment import correlation
from gan.data.near_duplicates.fingerprints import SIDE
from gan.data.near_duplicates.near_pairs import LEAST, NearPairs, find_near_pairs
from gan.data.pixels.png import decode_png
from gan.text.counted import counted

NEAR = "near duplicate"
NEAR_HELD_OUT = "near duplicate of a held out image"
DROPPED = (NEAR, NEAR_HELD_OUT)
AUTO_MOST = 10_000
"""Images up to which near duplicates are looked for unasked, at 0.2 ms each: a seventh of the command's time."""
LEAST_ALIKE = 0.8
"""Correlation of their pixels, in colour, that two near duplicates have at least."""
SHOWN = 24
"""Pairs of each kind that are shown as pictures."""

KINDS = ("labels", "splits", "within")
"""Of pairs: with different labels, else in both splits, else within a class and a split."""

_BATCH = 10_000
_OPEN = 512  # decoded images that are kept for the next pairs


class NearPair(NamedTuple):
    """Two images of a dataset that are nearly equal, or the nearest that are not.

    Attributes:
        records: their numbers; the first is the one that is kept if one of them goes.
        paths: their names within the source.
        splits: `train` or `test` of each.
        labels: class names; None where images have none.
        score: of `find_near_pairs`; from 0 up, equal ones have 0.
        alike: correlation of their pixels in colour, up to 1.
    """

    records: tuple[int, int]
    paths: tuple[str, str]
    splits: tuple[str, str]
    labels: tuple[str | None, str | None]
    score: float
    alike: float

    @property
    def contradicts(self) -> bool:
        """Whether the two have different labels."""
        return self.labels[0] != self.labels[1]

    @property
    def crosses(self) -> bool:
        """Whether one is trained on and the other held out."""
        return self.splits[0] != self.splits[1]

    @property
    def kind(self) -> str:
        """One of `KINDS`: what is the gravest of it."""
        return "labels" if self.contradicts else "splits" if self.crosses else "within"


@dataclass(frozen=True)
class NearCounts:
    """How many near duplicates there are; a pair may be between classes and between splits.

    Attributes:
        threshold: score up to which two images are near duplicates.
        pairs: all of them.
        within_class: pairs of one class and one split.
        between_classes: pairs whose labels contradict each other.
        between_splits: pairs of which one is trained on and the other held out.
        droppable: images to train on that go where that is asked for.
    """

    threshold: float
    pairs: int
    within_class: int
    between_classes: int
    between_splits: int
    droppable: int


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """What was found.

    Attributes:
        threshold: score up to which two images are near duplicates.
        pairs: those, by score; of an image with many the nearest few.
        beyond: the nearest pairs that are none, by score.
        dropped: record -> reason and the record that it is nearly equal to; what can go, gone or not.
        images: record -> `[R, R, C]` uint8, of the first `SHOWN` pairs of each kind.
    """

    threshold: float
    pairs: tuple[NearPair, ...]
    beyond: tuple[NearPair, ...]
    dropped: Mapping[int, tuple[str, int]]
    images: Mapping[int, NDArray[np.uint8]]

    def of_kind(self, kind: str) -> list[NearPair]:
        """Return the near duplicates of a kind of `KINDS`."""
        return [pair for pair in self.pairs if pair.kind == kind]

    @property
    def counts(self) -> NearCounts:
        """How many there are."""
        return NearCounts(
            threshold=self.threshold,
            pairs=len(self.pairs),
            within_class=len(self.of_kind("within")),
            between_classes=sum(pair.contradicts for pair in self.pairs),
            between_splits=sum(pair.crosses for pair in self.pairs),
            droppable=len(self.dropped),
        )


def looks(config: DataConfig, count: int) -> bool:
    """Say whether near duplicates are looked for among `count` images."""
    return config.near_duplicates in {"report", "drop"} or (config.near_duplicates == "auto" and count <= AUTO_MOST)


def near_notes(near: NearDuplicates | None, config: DataConfig) -> list[str]:
    """Return what a person should know of near duplicates."""
    if near is None and config.near_duplicates in {"report", "drop"}:
        return [f"near duplicates are not looked for among fewer than {LEAST} images"]
    if near is None or not near.pairs:
        return []
    counts = near.counts
    pairs = counted(counts.pairs, "pair of images is", "pairs of images are")
    of = f"{counts.between_splits:,} across the splits, {counts.between_classes:,} with different labels"
    drop = f"{counts.droppable:,} dropped" if config.near_duplicates == "drop" else "the report shows them"
    return [f"{pairs} nearly equal, {of}: {drop}"]


def find_near_duplicates(store: PartStore, plan: Plan, config: DataConfig, scratch: Path) -> NearDuplicates | None:
    """Look for near duplicates among the images that a plan keeps; None where they are too few to tell.

    Args:
        store: all parts, made with pictures.
        plan: what is kept.
        config: of the dataset.
        scratch: a folder for a file while this runs, 1,024 bytes for each image at most.
    """
    records = np.flatnonzero(plan.kept)
    if len(records) < LEAST:
        return None
    # Held out ones come first, so that of two the first is the one that is kept.
    records = records[np.lexsort((records, ~plan.held_out[records]))]
    with tempfile.TemporaryFile(dir=scratch) as file:
        found = find_near_pairs(_pictures(store, records, config.resolution, file))
    image = _reader(store, plan, config.resolution)
    pairs = _described(store, plan, found._replace(first=records[found.first], second=records[found.second]), image)
    near = tuple(pair for pair in pairs if pair.score <= found.threshold and pair.alike >= LEAST_ALIKE)
    beyond = tuple(pair for pair in pairs if pair.score > found.threshold or pair.alike < LEAST_ALIKE)[:SHOWN]
    shown = {kind: [pair for pair in near if pair.kind == kind][:SHOWN] for kind in KINDS} | {"beyond": beyond}
    pictured = {record for some in shown.values() for pair in some for record in pair.records}
    return NearDuplicates(
        threshold=found.threshold,
        pairs=near,
        beyond=beyond,
        dropped=_droppable(near, plan, config.min_class_images),
        images={record: image(record) for record in sorted(pictured)},
    )


def _pictures(store: PartStore, records: NDArray[np.int64], resolution: int, file: IO[bytes]) -> NDArray[np.uint8]:
    """Return the small pictures `[n, h, w]` of some records, mapped from a file."""
    side = resolution
    while side > SIDE:
        side //= 2
    pictures = np.memmap(file, np.uint8, "w+", shape=(len(records), side, side))
    for start in range(0, len(records), _BATCH):
        packed = b"".join(store.values("picture", records[start : start + _BATCH]))
        pictures[start : start + _BATCH] = np.frombuffer(packed, np.uint8).reshape(-1, side, side)
    return pictures


def _reader(store: PartStore, plan: Plan, resolution: int) -> Callable[[int], NDArray[np.uint8]]:
    @lru_cache(_OPEN)
    def image(record: int) -> NDArray[np.uint8]:
        png = images_of(store, plan, np.array([record]), resolution)[0]
        return decode_png(png, (resolution, resolution, plan.channels))

    return image


def _described(
    store: PartStore, plan: Plan, found: NearPairs, image: Callable[[int], NDArray[np.uint8]]
) -> list[NearPair]:
    """Return pairs of records with what a person is to know of them."""
    paths = (store.values("path", each) for each in (found.first, found.second))
    names, splits = (*plan.class_names, None), ("train", "test")
    return [
        NearPair(
            records=(a, b),
            paths=both,
            splits=(splits[int(plan.held_out[a])], splits[int(plan.held_out[b])]),
            labels=(names[plan.labels[a]], names[plan.labels[b]]),
            # Up, so that none comes below the threshold by it.
            score=math.ceil(1e4 * score) / 1e4,
            alike=round(correlation(image(a), image(b)), 4),
        )
        for a, b, both, score in zip(
            found.first.tolist(),
            found.second.tolist(),
            zip(*paths, strict=True),
            found.scores.tolist(),
            strict=True,
        )
    ]


def _droppable(pairs: Sequence[NearPair], plan: Plan, least: int) -> dict[int, tuple[str, int]]:
    """Return which images can go: those to train on that are nearly equal to one of their class that stays.

    Held out images all stay, and so do two with different labels: which one is wrong nobody has said. A class keeps
    `least` images to train on.
    """
    earlier: dict[int, list[NearPair]] = {}
    for pair in pairs:
        if not pair.contradicts and pair.splits[1] == "train":
            earlier.setdefault(pair.records[1], []).append(pair)
    left = Counter(plan.labels[plan.records("train")].tolist())
    dropped: dict[int, tuple[str, int]] = {}
    for record in sorted(earlier):
        stays = [pair for pair in earlier[record] if pair.records[0] not in dropped]
        label = int(plan.labels[record])
        if stays and left[label] > least and left.total() > FEWEST:
            nearest = min(stays, key=lambda pair: (not pair.crosses, pair.score))
            dropped[record] = NEAR_HELD_OUT if nearest.crosses else NEAR, nearest.records[0]
            left[label] -= 1
    return dropped
