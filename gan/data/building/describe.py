"""What there is to say about a dataset once it is planned: its `dataset.json`, samples and notes."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from gan.configuration.config import DataConfig
from gan.data.building.assemble import images_of
from gan.data.building.near import NearDuplicates
from gan.data.building.part_store import PartStore
from gan.data.building.plan import Plan
from gan.data.building.windows import Overview
from gan.data.origin import Origin
from gan.data.pixels.png import decode_png
from gan.data.records import Source
from gan.data.store.dataset import UNLABELLED_NAME, DatasetInfo
from gan.text.counted import counted

SAMPLES_PER_CLASS = 10
_FAINT = 256 // 8
_AT_ONCE = 1000
_FEW = 50  # training images of a class below which a person should know of it


def describe(
    source: Source,
    config: DataConfig,
    store: PartStore,
    plan: Plan,
    rejects: dict[str, int],
    origin: Origin,
    overview: Overview,
    near: NearDuplicates | None,
) -> DatasetInfo:
    """Return what `dataset.json` will say."""
    counts = {}
    for split in ("train", "test"):
        labels = Counter(plan.labels[plan.records(split)].tolist())
        by_class = {name: labels[label] for label, name in enumerate(plan.class_names)}
        counts[split] = by_class or {UNLABELLED_NAME: labels[-1]}
    total = store.total("sums", plan.kept & ~plan.held_out)
    mean, std = _moments(total, sum(counts["train"].values()) * config.resolution**2, plan.channels)
    return DatasetInfo(
        name=source.name,
        source_kind=source.kind,
        **origin.model_dump(),
        resolution=config.resolution,
        channels=plan.channels,
        class_names=plan.class_names,
        crop=config.crop,
        filter=config.filter,
        background=config.background,
        window=config.window if overview else None,
        windows=overview.windows() if overview else None,
        class_map=config.class_map,
        split=plan.split,
        holdout_fraction=config.holdout_fraction if plan.split == "hash" else None,
        num_train=sum(counts["train"].values()),
        num_test=sum(counts["test"].values()),
        counts=counts,
        mean=mean,
        std=std,
        rejects=rejects,
        near_duplicates=near.threshold if near and config.near_duplicates == "drop" else None,
        asked=getattr(source, "asked", None) or None,  # of folders alone anything can be
    )


def _moments(total: NDArray[np.int64], count: int, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation by channel from whole numbers, so that no order of adding shows in them."""
    values, squares = ([int(each) for each in half[:channels]] for half in total.reshape(2, 3))
    mean = [value / count for value in values]
    std = [(square * count - value**2) ** 0.5 / count for value, square in zip(values, squares, strict=True)]
    return tuple(round(each / 255, 6) for each in mean), tuple(round(each / 255, 6) for each in std)


def samples(store: PartStore, plan: Plan, resolution: int) -> dict[str, NDArray[np.uint8]]:
    """Return the first training images of each class, `[n, R, R, C]` uint8."""
    train = plan.records("train")
    labels = plan.labels[train]
    found = {}
    for label, name in enumerate(plan.class_names) if plan.class_names else [(-1, UNLABELLED_NAME)]:
        pngs = images_of(store, plan, train[labels == label][:SAMPLES_PER_CLASS], resolution)
        shape = (resolution, resolution, plan.channels)
        found[name] = np.stack([decode_png(png, shape) for png in pngs])
    return found


def sides(store: PartStore, plan: Plan) -> tuple[int, int, int]:
    """Return the shortest, median and longest of the source images' shorter sides, in pixels."""
    shorter = np.minimum(store.column("width"), store.column("height"))[plan.kept]
    return int(shorter.min()), int(np.median(shorter)), int(shorter.max())


def faint(store: PartStore, plan: Plan, resolution: int, pictures: dict[str, NDArray[np.uint8]]) -> list[str]:
    """Return a note where all images lie within an eighth of 0 to 255; all are looked at if the samples do."""
    low = min(int(images.min()) for images in pictures.values())
    high = max(int(images.max()) for images in pictures.values())
    shape = (resolution, resolution, plan.channels)
    records = np.flatnonzero(plan.kept)
    for start in range(0, len(records), _AT_ONCE):
        if high - low >= _FAINT:
            return []
        images = [
            decode_png(png, shape) for png in images_of(store, plan, records[start : start + _AT_ONCE], resolution)
        ]
        low, high = (
            min(low, *(int(image.min()) for image in images)),
            max(high, *(int(image.max()) for image in images)),
        )
    if high - low >= _FAINT:
        return []
    return [f"all images are of nearly one colour: their values are {low} to {high} of 0 to 255"]


def notes(plan: Plan, info: DatasetInfo) -> list[str]:
    """Return what a person should know: classes left out, or small."""
    dropped = [
        f"class {name} is left out: of its images {count or 'none'} remain to train on"
        + (", fewer than data.min_class_images" if count else ", for all are rejected or held out")
        for name, count in plan.dropped_classes.items()
    ]
    small = [
        f"class {name} has only {counted(count, 'image')} to train on"
        for name, count in info.counts["train"].items()
        if count < _FEW
    ]
    left_out = counted(plan.left_out, "image is left out by data.class_map", "images are left out by data.class_map")
    floor = [f"{info.num_test} images are held out, the fewest that can be"] if plan.floor else []
    return dropped + small + [left_out] * bool(plan.left_out) + floor
