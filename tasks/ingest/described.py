"""A dataset folder described for the loaders of others: its `croissant.json`, which is part of its version."""

import filecmp
from pathlib import Path

from gan.data.files.digest import file_sha256
from gan.data.store.dataset import read_dataset_info
from gan.data.store.shards import shard_paths
from gan.release.croissant import FILE, DescribedFile, croissant_json
from gan.release.croissant_dataset import dataset_described


def describe_dataset(folder: Path, earlier: Path | None) -> None:
    """Write `croissant.json` into a dataset folder that is complete otherwise.

    A version of before there was one stays as it is where nothing else changes: it would be another version of the
    same images.

    Args:
        folder: the new dataset's.
        earlier: that of the version before.
    """
    if earlier is not None and not (earlier / FILE).exists() and _are_equal(folder, earlier):
        return
    shards = [path for split in ("train", "test") for path in shard_paths(folder, split)]
    files = [DescribedFile(path.name, file_sha256(path), path.stat().st_size) for path in shards]
    described = dataset_described(read_dataset_info(folder), files)
    (folder / FILE).write_text(croissant_json(described), "utf-8")


def _are_equal(folder: Path, other: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    if names != {path.name for path in other.iterdir()}:
        return False
    _, *differing = filecmp.cmpfiles(folder, other, names, shallow=False)
    return not any(differing)
