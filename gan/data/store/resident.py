"""A version of the dataset decoded once into uint8 arrays on local disk, and mapped into memory from there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan.data.store.dataset import INFO_FILE, UNLABELLED_NAME, DatasetInfo, read_dataset_info
from gan.data.store.resident_cache import DecodedBatch, DecodedSplit, open_split, write_version, writing
from gan.data.store.shards import read_split, split_rows
from gan.errors import DatasetError

SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Resident:
    """All images of a split, any of them by its index.

    Attributes:
        images: `[N, H, W, C]` uint8, read-only, mapped from a file: what is not used takes no memory.
        labels: `[N]` int64, -1 for none.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)


def open_resident(cache_dir: Path, md5: str, split: str) -> Resident | None:
    """Map a split's images, or return None where the cache does not have this version whole and unaltered."""
    found = open_split(cache_dir / md5, split)
    return Resident(*found) if found else None


def load_resident(data_dir: Path, split: str, *, cache_dir: Path, md5: str) -> Resident:
    """Map a split's images; where the cache lacks them, all splits are decoded.

    That `data_dir` holds the version `md5` is for the caller to know. Several processes may call this at once: one
    decodes, and the others wait for it.

    Args:
        data_dir: the dataset folder; not opened when the cache has this version.
        split: `train` or `test`.
        cache_dir: a folder on this machine's disk, safe to delete.
        md5: the version of the dataset, which names the cache entry.

    Raises:
        DatasetError: the dataset or one of its shards is missing or broken, or is not as its `dataset.json` says.
    """
    found = open_resident(cache_dir, md5, split)
    if found is None:
        with writing(cache_dir, md5):
            if open_resident(cache_dir, md5, split) is None:
                info = read_dataset_info(data_dir)
                write_version(cache_dir, md5, {each: _rows(data_dir, each, info) for each in SPLITS})
        found = open_resident(cache_dir, md5, split)
        assert found is not None
    return found


def _rows(data_dir: Path, split: str, info: DatasetInfo) -> DecodedSplit:
    count = info.num_train if split == "train" else info.num_test
    if (there := split_rows(data_dir, split)) != count:
        raise _other(data_dir, split, f"{there} images", f"{count}")
    shape = (count, info.resolution, info.resolution, info.channels)
    return DecodedSplit(shape, _checked(data_dir, split, info, shape[1:]))


def _checked(data_dir: Path, split: str, info: DatasetInfo, shape: tuple[int, int, int]) -> Iterator[DecodedBatch]:
    """Decode a split, each image checked against its `sha256`, and hold its shape and classes against `info`."""
    names = info.class_names or (UNLABELLED_NAME,)
    counts = np.zeros(len(names), np.int64)
    for images, labels in read_split(data_dir, split):
        if images.shape[1:] != shape:
            raise _other(data_dir, split, f"images of shape {images.shape[1:]}", f"{shape}")
        places = labels if info.class_names else labels + 1  # the label of none is -1
        if (unknown := labels[(places < 0) | (places >= len(names))]).size:
            raise _other(data_dir, split, f"the label {unknown[0]}", f"{len(info.class_names)} classes")
        counts += np.bincount(places, minlength=len(names))
        yield images, labels
    said = info.counts.get(split, {})
    for name, found in zip(names, counts.tolist(), strict=True):
        if found != said.get(name):
            raise _other(data_dir, split, f"{found} images of the class {name}", f"{said.get(name)}")


def _other(data_dir: Path, split: str, there: str, said: str) -> DatasetError:
    return DatasetError(
        f"the {split} shards in {data_dir} have {there} but {INFO_FILE} says {said}: restore them with "
        "`dvc checkout --force` or ingest again"
    )
