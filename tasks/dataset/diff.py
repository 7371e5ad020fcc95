"""What changed from one version of the dataset to another, by the pixels of its images."""

import itertools
import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from tasks.dataset.contents import Place, VersionImages

_RESULTS = re.compile(r"num_.*|counts|rejects|rejected|mean|std|class_names|class_counts|classes")


class Moved(BaseModel):
    """Images of equal pixels that another split, another class or both have in the later version."""

    model_config = ConfigDict(frozen=True)

    count: int
    split_before: str
    split_after: str
    class_before: str
    class_after: str


class VersionDiff(BaseModel):
    """What changed from one version to another.

    `settings` is the two values of each key of `dataset.json` that differs; `added` and `removed` are images by split
    and class, where there are any. An image that is in both versions is in neither: with another class it is in
    `relabelled`, in another split in `moved`, and in both lists if both changed.
    """

    model_config = ConfigDict(frozen=True)

    before: str
    after: str
    settings: dict[str, tuple[Any, Any]]
    added: dict[str, dict[str, int]]
    removed: dict[str, dict[str, int]]
    relabelled: list[Moved]
    moved: list[Moved]
    unchanged: int


def diff_images(old: VersionImages, new: VersionImages, places: list[Place]) -> VersionDiff:
    """Compare two versions; `places` are those that their numbers mean."""
    added, removed, became = _changes(old, new, places)
    keys = [key for key in {**old.info, **new.info} if not _RESULTS.fullmatch(key)]
    changed = [
        Moved(count=count, split_before=source[0], split_after=goal[0], class_before=source[1], class_after=goal[1])
        for (source, goal), count in sorted(became.items())
    ]
    return VersionDiff(
        before=old.md5,
        after=new.md5,
        settings={
            key: (old.info.get(key), new.info.get(key)) for key in keys if old.info.get(key) != new.info.get(key)
        },
        added=_by_split(added),
        removed=_by_split(removed),
        relabelled=[one for one in changed if one.class_before != one.class_after],
        moved=[one for one in changed if one.split_before != one.split_after],
        unchanged=len(old.places) - removed.total() - became.total(),
    )


def _changes(
    old: VersionImages, new: VersionImages, places: list[Place]
) -> tuple[Counter[Place], Counter[Place], Counter[tuple[Place, Place]]]:
    """What is only in the new version, what is only in the old one, and what changed its place, with multiplicity."""
    digests = np.concatenate([old.digests, new.digests])
    order = np.lexsort(digests.T)
    starts = np.ones(len(digests), bool)
    starts[1:] = (digests[order[1:]] != digests[order[:-1]]).any(axis=1)
    picture = np.empty(len(digests), np.int64)
    picture[order] = np.cumsum(starts) - 1
    keys, rows = np.unique(picture * len(places) + np.concatenate([old.places, new.places]), return_inverse=True)
    signs = np.repeat([-1.0, 1.0], [len(old.places), len(new.places)])
    surplus = np.bincount(rows, signs).astype(np.int64)
    keys, surplus = keys[surplus != 0], surplus[surplus != 0]
    picture, place = np.divmod(keys, len(places))
    # Most pictures come or go for good, and are only counted.
    mixed = np.isin(picture, np.intersect1d(picture[surplus < 0], picture[surplus > 0]))

    def tally(chosen: NDArray[np.bool_]) -> Counter[Place]:
        counts = np.bincount(place[chosen], np.abs(surplus[chosen]), len(places))
        return Counter({places[index]: int(count) for index, count in enumerate(counts) if count})

    added, removed = tally(~mixed & (surplus > 0)), tally(~mixed & (surplus < 0))
    became: Counter[tuple[Place, Place]] = Counter()
    left = zip(picture[mixed].tolist(), place[mixed].tolist(), surplus[mixed].tolist(), strict=True)
    for _, group in itertools.groupby(left, key=lambda row: row[0]):
        lost: Counter[Place] = Counter()
        gained: Counter[Place] = Counter()
        for _, index, count in group:
            (gained if count > 0 else lost)[places[index]] = abs(count)
        _pair(lost, gained, became)
        removed.update(lost)
        added.update(gained)
    return +added, +removed, became


def _pair(lost: Counter[Place], gained: Counter[Place], became: Counter[tuple[Place, Place]]) -> None:
    """Move what one picture lost in one place and gained in another over to `became`."""

    def distance(pair: tuple[Place, Place]) -> Any:
        # Another class in the same split, before another split, before both.
        (split, name), (new_split, new_name) = pair
        return split != new_split, name != new_name, pair

    for source, goal in sorted(itertools.product(lost, gained), key=distance):
        count = min(lost[source], gained[goal])
        if count:
            became[source, goal] += count
            lost[source] -= count
            gained[goal] -= count


def _by_split(counts: Counter[Place]) -> dict[str, dict[str, int]]:
    return {
        split: {name: count for (where, name), count in sorted(counts.items()) if where == split}
        for split in ("train", "test")
    }
