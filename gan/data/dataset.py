"""The dataset folder: `build_dataset` makes it from a source, `read_dataset_info` reads its `dataset.json`."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from gan.config import Crop, DataConfig, Filter
from gan.data.prepare import prepare
from gan.data.shards import write_shards
from gan.data.sources import Reject, Source, SourceKind
from gan.data.split import is_held_out, order_after, source_digest
from gan.errors import DatasetError

INFO_FILE = "dataset.json"
UNLABELLED_NAME = "unlabelled"
MAX_REJECT_SHARE = 0.05
_LISTED_REJECTS = 100
_DUPLICATE = "duplicate"


class DatasetInfo(BaseModel):
    """What `dataset.json` says: everything that a reader needs before it opens a shard.

    `counts` is images by split and class name (`unlabelled` where there are no classes); `rejects` is files by reason,
    and `rejected` names the first 100 of them. Nothing here depends on the time or place of ingesting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    name: str
    source_kind: SourceKind
    resolution: int
    channels: Literal[1, 3]
    class_names: tuple[str, ...]
    crop: Crop
    filter: Filter
    holdout_fraction: float
    num_train: int
    num_test: int
    counts: dict[str, dict[str, int]]
    rejects: dict[str, int]
    rejected: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 where images have no labels."""
        return len(self.class_names)

    @property
    def num_rejects(self) -> int:
        """Files of the source that are not in the dataset."""
        return sum(self.rejects.values())


class _Split:
    """Prepared images of one split, in the order of the source."""

    def __init__(self) -> None:
        self.images: list[NDArray[np.uint8]] = []
        self.labels: list[int] = []


def read_dataset_info(folder: Path) -> DatasetInfo:
    """Read `dataset.json` of a dataset folder.

    Raises:
        DatasetError: there is none, or it is malformed.
    """
    path = folder / INFO_FILE
    try:
        return DatasetInfo.model_validate_json(path.read_bytes())
    except OSError:
        raise DatasetError(f"no dataset at {folder}: run `ganflow ingest digits`") from None
    except ValidationError as error:
        mistake = error.errors()[0]
        key = ".".join(str(part) for part in mistake["loc"]) or "the file"
        raise DatasetError(f"{path} is malformed ({key}: {mistake['msg']}): ingest the dataset again") from None


def build_dataset(
    source: Source,
    config: DataConfig,
    out: Path,
    *,
    previous: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> DatasetInfo:
    """Decode, prepare, split and write a source as a dataset folder; equal input gives equal bytes.

    An image is held out if and only if the hash of its source pixels, as a fraction of all hashes, is below
    `config.holdout_fraction`: no other image moves it. Of images with equal source pixels the first is kept.

    Args:
        source: where the images come from.
        config: resolution, channels, crop, filter and share held out.
        out: a folder that is empty or does not exist yet.
        previous: an earlier dataset; images that it has too come first and in its order, so that its full shards stay
            as they are. Images that the source has no more are left out.
        on_progress: called with (records done, records in all).

    Raises:
        DatasetError: more than 5 % of the files are unreadable, or a split has fewer than 2 images.
    """
    out.mkdir(parents=True, exist_ok=True)
    assert not any(out.iterdir()), f"{out} is not empty"
    splits, rejects = _collect(source, config, on_progress or (lambda done, total: None))
    _refuse_broken(source, rejects)
    _refuse_small(source, config, splits)

    colour = any(image.shape[2] == 3 for split in splits.values() for image in split.images)
    channels: Literal[1, 3] = 3 if colour else 1
    counts = {}
    for name, split in splits.items():
        images = [image if image.shape[2] == channels else image.repeat(3, axis=2) for image in split.images]
        order = order_after(previous, name, images)
        labels = [split.labels[index] for index in order]
        write_shards(out, name, [images[index] for index in order], labels, class_names=source.class_names)
        by_label = Counter(labels)
        counts[name] = {label: by_label[index] for index, label in enumerate(source.class_names)} or {
            UNLABELLED_NAME: len(labels)
        }
    info = DatasetInfo(
        name=source.name,
        source_kind=source.kind,
        resolution=config.resolution,
        channels=channels,
        class_names=source.class_names,
        crop=config.crop,
        filter=config.filter,
        holdout_fraction=config.holdout_fraction,
        num_train=len(splits["train"].images),
        num_test=len(splits["test"].images),
        counts=counts,
        rejects=dict(sorted(Counter(reject.reason for reject in rejects).items())),
        rejected=tuple(str(reject) for reject in rejects[:_LISTED_REJECTS]),
    )
    # Last, so that a folder with a dataset.json is complete.
    (out / INFO_FILE).write_text(json.dumps(info.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return info


def _collect(
    source: Source, config: DataConfig, on_progress: Callable[[int, int], None]
) -> tuple[dict[str, _Split], list[Reject]]:
    splits = {"train": _Split(), "test": _Split()}
    rejects: list[Reject] = []
    first: dict[bytes, str] = {}
    for done, record in enumerate(source, start=1):
        if isinstance(record, Reject):
            rejects.append(record)
        elif (digest := source_digest(record.pixels)) in first:
            rejects.append(Reject(record.path, _DUPLICATE, f"of {first[digest]}"))
        else:
            first[digest] = record.path
            split = splits["test" if is_held_out(digest, config.holdout_fraction) else "train"]
            # Grey and colour are told apart once all images are known.
            channels = record.pixels.shape[2] if config.channels == "auto" else config.channels
            split.images.append(
                prepare(
                    record.pixels,
                    resolution=config.resolution,
                    crop=config.crop,
                    filter=config.filter,
                    channels=channels,
                )
            )
            split.labels.append(record.label)
        on_progress(done, len(source))
    return splits, rejects


def _refuse_broken(source: Source, rejects: Sequence[Reject]) -> None:
    broken = [reject for reject in rejects if reject.reason != _DUPLICATE]
    if len(broken) > MAX_REJECT_SHARE * len(source):
        raise DatasetError(
            f"{len(broken)} of {len(source)} files of {source.name} cannot be used, more than "
            f"{MAX_REJECT_SHARE:.0%}; the first is {broken[0]}: repair or remove them"
        )


def _refuse_small(source: Source, config: DataConfig, splits: dict[str, _Split]) -> None:
    sizes = {name: len(split.images) for name, split in splits.items()}
    if min(sizes.values()) >= 2:
        return
    raise DatasetError(
        f"{source.name} gives {sizes['train']} images for training and {sizes['test']} held out with "
        f"data.holdout_fraction = {config.holdout_fraction:g}, but each needs at least 2: "
        "add images or change the fraction"
    )
