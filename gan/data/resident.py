"""A split decoded once into one uint8 array on local disk, and mapped into memory from there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan.data.dataset import read_dataset_info
from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.shards import read_split, split_rows
from gan.errors import DatasetError


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


def load_resident(data_dir: Path, split: str, *, cache_dir: Path, md5: str) -> Resident:
    """Map a split's images, decoding them on the first call.

    Several processes may call this at once: each finds the complete file of another or writes its own.

    Args:
        data_dir: the dataset folder; not opened when the cache has this version.
        split: `train` or `test`.
        cache_dir: a folder on this machine's disk, safe to delete.
        md5: the version of the dataset, which names the cache entry.

    Raises:
        DatasetError: the dataset or one of its shards is missing or broken.
    """
    folder = cache_dir / md5
    images_path, labels_path = folder / f"{split}-images.npy", folder / f"{split}-labels.npy"
    cached = _map(images_path, labels_path)
    if cached is None:
        folder.mkdir(parents=True, exist_ok=True)
        sweep_drafts(folder)
        _decode(data_dir, split, images_path, labels_path)
        cached = _map(images_path, labels_path)
        assert cached is not None
    return cached


def _map(images_path: Path, labels_path: Path) -> Resident | None:
    try:
        images = np.load(images_path, mmap_mode="r", allow_pickle=False)
        labels = np.load(labels_path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # absent or cut short: decoded anew
    return Resident(images, labels) if len(images) == len(labels) else None


def _decode(data_dir: Path, split: str, images_path: Path, labels_path: Path) -> None:
    info = read_dataset_info(data_dir)
    rows = split_rows(data_dir, split)
    shape = (rows, info.resolution, info.resolution, info.channels)
    labels = np.empty(rows, np.int64)

    def fill(path: Path) -> None:
        images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        done = 0
        for batch, batch_labels in read_split(data_dir, split):
            if batch.shape[1:] != shape[1:]:
                raise DatasetError(
                    f"the {split} images in {data_dir} are {batch.shape[1:]} but its dataset.json says {shape[1:]}: "
                    "run `ganflow ingest` to make the dataset again"
                )
            images[done : done + len(batch)] = batch
            labels[done : done + len(batch)] = batch_labels
            done += len(batch)
        images.flush()

    with replacing(images_path) as draft:
        fill(draft)
    with replacing(labels_path) as draft, draft.open("wb") as file:
        np.save(file, labels, allow_pickle=False)
