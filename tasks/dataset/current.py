"""The current dataset, held still: restored, described and decoded while no ingest can replace it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gan.data.store.dataset import DatasetInfo, read_dataset_info
from gan.data.store.resident import SPLITS, Resident, load_resident, open_resident
from gan.data.store.shards import read_column
from gan.errors import DatasetError
from tasks.dataset.repository import current_md5, ensure_data
from tasks.dataset.session import locked
from tasks.runtime.settings import Settings


@dataclass(frozen=True)
class CurrentDataset:
    """One version of the dataset, which an ingest that comes later does not change.

    Attributes:
        md5: its name; the decoded images lie in the cache under it.
        info: what its `dataset.json` says.
        pointer: the text of its `data.dvc`.
    """

    md5: str
    info: DatasetInfo
    pointer: str


def current_dataset(settings: Settings) -> CurrentDataset:
    """Restore `data/` if need be and decode it into the cache, from where training and evaluation read it.

    Raises:
        DatasetError: there is no dataset, or its version is neither here nor in the remote, or broken.
        GanflowError: DVC refuses.
    """
    with locked(settings):
        md5 = ensure_data(settings)
        info = read_dataset_info(settings.data_dir)
        for split in SPLITS:
            load_resident(settings.data_dir, split, cache_dir=settings.resident_dir, md5=md5)
        return CurrentDataset(md5, info, (settings.home / "data.dvc").read_text("utf-8"))


def load_version(data_dir: Path, resident_dir: Path, md5: str, split: str = "train") -> Resident:
    """A split of one version: from the cache, or decoded from `data/` if that is still this version.

    Args:
        data_dir: the folder `data/` of a home.
        resident_dir: the cache.
        md5: the version.
        split: `train` or `test`.

    Raises:
        DatasetError: it is in neither; what `data/` holds by now must not pass for it.
        GanflowError: DVC refuses.
    """
    found = open_resident(resident_dir, md5, split)
    if found is not None:
        return found
    home = Settings(ganflow_home=data_dir.parent)
    # Asked first without the lock, which would make a home where there is none, as on another node.
    if current_md5(home) == md5:
        with locked(home):
            # DVC compares the files themselves: no ingest can replace them now, but a person may have.
            if ensure_data(home) == md5:
                return load_resident(data_dir, split, cache_dir=resident_dir, md5=md5)
    raise DatasetError(
        f"dataset {md5} is neither in {resident_dir} nor the current one of {data_dir.parent}: "
        f"get it back with `ganflow dataset checkout {md5}`"
    )


def training_digests(settings: Settings, md5: str) -> list[str]:
    """The sha256 of each training image's pixels: the shards' column, or counted anew where `data/` is another version.

    Counting reads every image: of a million, minutes.
    """
    if current_md5(settings) == md5:
        with locked(settings):
            if ensure_data(settings) == md5:
                return [str(digest) for digest in read_column(settings.data_dir, "train", "sha256")]
    images = load_version(settings.data_dir, settings.resident_dir, md5).images
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
