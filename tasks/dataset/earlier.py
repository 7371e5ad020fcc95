"""Any version of the dataset decoded into the cache, while `data/` stays what it is."""

import hashlib
import re
from pathlib import Path

from gan.data.store.dataset import read_dataset_info
from gan.data.store.resident import SPLITS, load_resident
from gan.errors import DatasetError
from tasks.dataset.current import CurrentDataset, current_dataset
from tasks.dataset.in_storage import read_list, written_list
from tasks.dataset.publishing import POINTER
from tasks.dataset.repository import current_md5, recover, version_files
from tasks.dataset.session import broken_object
from tasks.runtime.scratch import scratch_folder
from tasks.runtime.settings import Settings

_MD5 = re.compile(r"[0-9a-f]{32}")


def hold_dataset(settings: Settings, md5: str) -> CurrentDataset:
    """Return a version as `current_dataset` does, whether it is the current one or not.

    Its files are read in DVC's cache, and fetched from the default remote where it lacks them.

    Raises:
        DatasetError: the version is not to be had, or broken, or no dataset.
        GanflowError: DVC refuses.
    """
    if not _MD5.fullmatch(md5):  # it comes from a header, and becomes a path and a line of a pointer
        raise DatasetError(f"«{md5[:100]}» names no version of a dataset: ask who may write to MLflow")
    recover(settings)
    if current_md5(settings) == md5:
        return current_dataset(settings)
    pointer = POINTER.format(md5)
    files = version_files(settings, md5, pointer)
    try:
        listed = read_list(written_list({name: file.parent.name + file.name for name, file in files.items()}), md5)
    except ValueError as error:
        raise DatasetError(f"dataset {md5} cannot be read ({error}): ingest it again") from None
    with scratch_folder(settings, "version") as folder:
        for name, file in files.items():
            _require_md5(md5, name, file, listed[name])
            (folder / name).symlink_to(file)
        info = read_dataset_info(folder)
        for split in SPLITS:
            load_resident(folder, split, cache_dir=settings.resident_dir, md5=md5)
    return CurrentDataset(md5, info, pointer)


def _require_md5(md5: str, name: str, file: Path, wanted: str) -> None:
    """DVC takes what lies in its cache on trust."""
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != wanted:
            raise broken_object(md5, name, file, "its md5 is another")
