"""What becomes of each record once all are known: its split, its class, and whether it is a copy of another."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gan.configuration.config import DataConfig
from gan.data.building.part_store import PartStore
from gan.data.building.split import held_out, with_fewest
from gan.data.records import UNLABELLED
from gan.errors import DatasetError

DUPLICATE = "duplicate"
OTHER_LABEL = "duplicate with another label"
IN_HOLDOUT = "in the holdout too"
FEW_IMAGES = "class with too few images"
NO_LABEL = "no label where others have one"
FEWEST = 2  # images of each split, without which nothing can be measured


@dataclass(frozen=True, eq=False)
class Plan:
    """What `make_plan` decided about N records.

    Attributes:
        channels: of the dataset.
        split: who held images out.
        class_names: of the dataset.
        labels: `[N]` int64, index into `class_names` or -1.
        held_out: `[N]` bool, in `test` rather than `train`.
        kept: `[N]` bool, in the dataset.
        digests: `[N]` S32, sha256 of the pixels as they will be in the dataset.
        rejects: record -> reason and the record that it is a copy of, or -1; beyond what its part rejected already.
        dropped_classes: classes with too few images -> how many there were to train on.
        left_out: images of classes that `class_map` leaves out, which are no rejects.
        floor: whether more images are held out, or trained on, than their hashes say, so that there are `FEWEST`.
    """

    channels: Literal[1, 3]
    split: Literal["hash", "source"]
    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    digests: NDArray[np.bytes_]
    rejects: dict[int, tuple[str, int]]
    dropped_classes: dict[str, int]
    left_out: int
    floor: bool = False

    def records(self, split: str) -> NDArray[np.int64]:
        """Return the numbers of the records that are kept in a split."""
        return np.flatnonzero(self.kept & (self.held_out == (split == "test")))

    def without(self, dropped: Mapping[int, tuple[str, int]]) -> "Plan":
        """Return the same with images to train on that go, too: record -> reason and the record that stays for it."""
        kept = self.kept.copy()
        kept[list(dropped)] = False
        return replace(self, kept=kept, rejects={**self.rejects, **dropped})


def make_plan(store: PartStore, config: DataConfig, class_names: Sequence[str], has_split: bool) -> Plan:
    """Decide about every record.

    Of images that are equal in the dataset, pixel for pixel, the first is kept; of one to train on and one held out,
    the latter, so that nothing is trained on that is measured against.

    Args:
        store: all parts.
        config: class map, split and smallest class.
        class_names: the source's, by label.
        has_split: whether the source puts each image in a split.

    Raises:
        DatasetError: the source has no split although it is asked for, or `class_map` names a class that is none.
    """
    images = store.column("channels") > 0  # type: ignore[operator]
    names, new_label = _mapped(class_names, config.class_map)
    labels = np.where(images, store.column("label"), UNLABELLED).astype(np.int64)
    labels = np.where(labels >= 0, new_label[labels], UNLABELLED)
    kept = images & (labels != _LEFT_OUT)
    without_label = kept & (labels == UNLABELLED) & bool(names)
    kept &= ~without_label
    left_out = int(images.sum() - kept.sum() - without_label.sum())
    split = _who_splits(config, has_split)
    keys = store.column("key").astype(np.uint64)
    out = store.column("split") == 1 if split == "source" else held_out(keys, config.holdout_fraction)
    candidates, few, floor = kept, dict[int, int](), False
    while True:  # an image is no copy of one whose class is left out
        kept = candidates & ~np.isin(labels, list(few))
        channels, digests = _pixels(store, config, kept)
        kept[list(_copies(digests, labels, out, kept, kept))] = False
        fewer = _few(labels, out, kept, len(names), config.min_class_images)
        if fewer.keys() <= few.keys():
            other = None
            if split == "hash" and config.holdout_fraction > 0:
                other = with_fewest(keys, labels, kept, out, FEWEST, config.min_class_images)
            if other is None:
                break
            out, floor = other, True
        few = fewer | few
    rejects = {int(record): (NO_LABEL, -1) for record in np.flatnonzero(without_label)}
    rejects |= {int(record): (FEW_IMAGES, -1) for record in np.flatnonzero(candidates & np.isin(labels, list(few)))}
    rejects |= _copies(digests, labels, out, candidates, kept)
    left = [label for label in range(len(names)) if label not in few]
    place = np.full(len(names) + 1, -1, np.int64)
    place[left] = np.arange(len(left))
    return Plan(
        channels=channels,
        split=split,
        class_names=tuple(names[label] for label in left),
        labels=np.where(labels >= 0, place[np.maximum(labels, 0)], UNLABELLED),
        held_out=out,
        kept=kept,
        digests=digests,
        rejects=rejects,
        dropped_classes={names[label]: count for label, count in few.items()},
        left_out=left_out,
        floor=floor,
    )


_LEFT_OUT = -2


def _mapped(class_names: Sequence[str], class_map: Mapping[str, str | None]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the new class names, and the new label of each old one."""
    if unknown := [name for name in class_map if name not in class_names]:
        known = f"the classes are {', '.join(class_names[:20])}" if class_names else "the images have no classes"
        raise DatasetError(f"data.class_map names «{unknown[0]}», but {known}: correct it")
    names: list[str] = []
    new = np.full(max(1, len(class_names)), _LEFT_OUT, np.int64)
    for label, name in enumerate(class_names):
        target = class_map.get(name, name)
        if target is not None:
            if target not in names:
                names.append(target)
            new[label] = names.index(target)
    return names, new


def _who_splits(config: DataConfig, has_split: bool) -> Literal["hash", "source"]:
    if config.split == "source" and not has_split:
        raise DatasetError(
            "data.split is source, but the source does not say which images are held out: give it folders or files "
            "called train and test, or set data.split=hash"
        )
    return "source" if has_split and config.split != "hash" else "hash"


def _pixels(store: PartStore, config: DataConfig, kept: NDArray[np.bool_]) -> tuple[Literal[1, 3], NDArray[np.bytes_]]:
    """Return the dataset's channels and each image's digest in them."""
    found = store.column("channels")
    digests = store.column("sha256").astype("S32")
    if config.channels != "auto":
        return config.channels, digests
    if not (found[kept] == 3).any():
        return 1, digests
    if (grey := found == 1).any():
        digests[grey] = store.column("sha256_rgb")[grey]
    return 3, digests


def _copies(
    digests: NDArray[np.bytes_],
    labels: NDArray[np.int64],
    out: NDArray[np.bool_],
    candidates: NDArray[np.bool_],
    preferred: NDArray[np.bool_],
) -> dict[int, tuple[str, int]]:
    """Find images that are there already; preferred ones come first, then those held out, then the source's order."""
    records = np.flatnonzero(candidates)
    records = records[np.lexsort((~out[records], ~preferred[records]))]
    _, first, group = np.unique(digests[records], return_index=True, return_inverse=True)
    copies = {}
    for place in np.flatnonzero(first[group] != np.arange(len(records))):
        record, original = int(records[place]), int(records[first[group[place]]])
        if labels[record] != labels[original]:
            reason = OTHER_LABEL
        else:
            reason = IN_HOLDOUT if out[original] and not out[record] else DUPLICATE
        copies[record] = (reason, original)
    return copies


def _few(
    labels: NDArray[np.int64], out: NDArray[np.bool_], kept: NDArray[np.bool_], classes: int, least: int
) -> dict[int, int]:
    counts = Counter(labels[kept & ~out].tolist())
    return {label: counts[label] for label in range(classes) if counts[label] < least}
