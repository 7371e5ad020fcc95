"""A node's part: a version of the dataset from the storage, decoded once into the cache of this node.

Nothing here needs DVC, nor anything of the driver's disk.
"""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gan.data.files.unpack import require_space
from gan.data.store.dataset import INFO_FILE, read_dataset_info
from gan.data.store.resident import Resident, load_resident, open_resident
from gan.errors import GanflowError, InputError
from tasks.dataset.in_storage import StoredVersion, read_list
from tasks.runtime.failures import explained
from tasks.runtime.locks import hold_lock
from tasks.runtime.patience import patiently
from tasks.runtime.scratch import scratch_beside, sweep_beside
from tasks.runtime.settings import Settings

_LABEL_BYTES = 8


def node_version(
    storage: str,
    md5: str,
    split: str,
    *,
    host: str,
    on_warning: Callable[[str], None] = lambda sentence: None,
) -> Resident:
    """A split of one version: from this node's cache, or fetched, checked and decoded into it.

    Of several processes of a node that call this at once, one does it, and the others wait.

    Args:
        storage: `Settings.storage` of the driver.
        md5: the version.
        split: `train` or `test`.
        host: what to call this node in a sentence.
        on_warning: called with a sentence where the storage is asked again.

    Raises:
        GanflowError: it is not in the storage, or not as it was put there, or the storage or the cache does not work.
    """
    try:
        cache = Settings().node_cache_dir / "resident"
        try:
            sweep_beside(cache)
            found = open_resident(cache, md5, split)
            if found is None:
                with hold_lock(cache / f".{md5}.fetch"):
                    found = open_resident(cache, md5, split) or _decoded(storage, md5, split, cache, on_warning)
            return found
        except OSError as error:
            raise explained(error, cache) or InputError(
                f"the cache {cache} cannot be used ({os.strerror(error.errno or 0)}): set GANFLOW_CACHE on that node "
                "to a folder that can be written"
            ) from error
    except GanflowError as error:
        raise type(error)(f"on host {host}: {error}") from error


def _decoded(storage: str, md5: str, split: str, cache: Path, on_warning: Callable[[str], None]) -> Resident:
    stored = StoredVersion(storage, md5)
    with scratch_beside(cache, "dataset") as folder:
        _fetch(stored, folder, cache, on_warning)
        return load_resident(folder, split, cache_dir=cache, md5=md5)


def _fetch(stored: StoredVersion, folder: Path, cache: Path, on_warning: Callable[[str], None]) -> None:
    """Copy the files of a version, each checked by its md5, if the disk has room for them and for what they decode to.

    Raises:
        DatasetError: it is not there, or not as it was put there.
    """
    what = f"fetching {stored}"
    content = patiently(stored.read_list, what, on_warning)
    if content is None:
        raise InputError(
            f"{stored} is not there: set GANFLOW_STORAGE to a path or URL that all nodes reach as the driver does"
        )
    try:
        listed = read_list(content, stored.md5)
    except ValueError as error:
        raise stored.damaged(error) from None
    sizes = patiently(stored.sizes, what, on_warning)
    if missing := sorted(listed.keys() - sizes.keys()):
        raise stored.damaged(f"{missing[0]} is gone")
    room = sum(sizes[name] for name in listed)
    for name in sorted(listed, key=lambda name: name != INFO_FILE):
        require_space(cache / stored.md5, str(stored), room)
        patiently(partial(_fetch_file, stored, name, listed[name], sizes[name], folder), what, on_warning)
        room -= sizes[name]
        if name == INFO_FILE:
            info = read_dataset_info(folder)
            room += (info.num_train + info.num_test) * (info.resolution**2 * info.channels + _LABEL_BYTES)


def _fetch_file(stored: StoredVersion, name: str, wanted: str, size: int, folder: Path) -> None:
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with (folder / name).open("wb") as file:
        for block in stored.blocks(name):
            done += len(block)
            if done > size:
                break  # it grows: whatever that is, it shall not fill the disk
            digest.update(block)
            file.write(block)
    if done != size or digest.hexdigest() != wanted:
        raise stored.damaged(f"{name} was cut short or altered")
