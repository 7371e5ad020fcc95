"""The current dataset, held still: restored, described and decoded while no ingest can replace it."""

import hashlib
from dataclasses import dataclass

from gan.data.dataset import DatasetInfo, read_dataset_info
from gan.data.resident import load_resident
from tasks.dvc_repo import ensure_data
from tasks.dvc_session import locked
from tasks.settings import Settings


@dataclass(frozen=True)
class CurrentDataset:
    """One version of the dataset, which an ingest that comes later does not change.

    Attributes:
        md5: its name; the decoded images lie in the cache under it.
        info: what its `dataset.json` says.
    """

    md5: str
    info: DatasetInfo


def current_dataset(settings: Settings) -> CurrentDataset:
    """Restore `data/` if need be and decode it into the cache, from where training and evaluation read it.

    Raises:
        DatasetError: there is no dataset, or its version is neither here nor in the remote.
        GanflowError: DVC refuses.
    """
    with locked(settings):
        md5 = ensure_data(settings)
        info = read_dataset_info(settings.data_dir)
        for split in ("train", "test"):
            load_resident(settings.data_dir, split, cache_dir=settings.resident_dir, md5=md5)
        return CurrentDataset(md5, info)


def training_digests(settings: Settings, md5: str) -> list[str]:
    """The sha256 of each training image's pixels, as the shards' column `sha256` has them."""
    images = load_resident(settings.data_dir, "train", cache_dir=settings.resident_dir, md5=md5).images
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
