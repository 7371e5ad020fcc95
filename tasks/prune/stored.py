"""What lies in the storage: a folder for each training run, and the datasets that were put there for nodes."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pyarrow.fs import FileInfo, FileSelector, FileType

from gan.text.credentials import bare_address
from tasks.dataset.in_storage import FOLDER as DATASETS
from tasks.dataset.in_storage import LIST
from tasks.runtime.storage import open_storage, storage_errors
from tasks.train.lease import FOLDER as LEASES
from tasks.train.lease import STALE_SECONDS, Holder

# Beside the lease's own patience: the clocks of storage and of this machine may differ.
_CLOCKS_APART = 3600.0


@dataclass
class Stored:
    """A folder of the storage.

    Attributes:
        bytes: of all files below.
        held: whether the lease of a process lies in it that may be alive.
        newest: when the last of its files was written, in milliseconds since 1970.
    """

    bytes: int = 0
    held: bool = False
    newest: int = 0


class Storage:
    """The storage of checkpoints.

    Args:
        address: `Settings.storage`.

    Raises:
        InputError: it cannot be used.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._files, self._root = open_storage(address)

    def place(self, name: str) -> str:
        """A folder's address as it may be shown."""
        return f"{bare_address(self.address).partition('?')[0].rstrip('/')}/{name}"

    def folders(self) -> tuple[dict[str, Stored], dict[str, Stored]]:
        """The folders of runs by id, and those of datasets by md5, by one listing of everything."""
        runs: dict[str, Stored] = {}
        datasets: dict[str, Stored] = {}
        for path, info in self._listed():
            group, parts = runs, path.split("/")
            if parts[0] == DATASETS:
                group, parts = datasets, parts[1:]
            if len(parts) < 2:  # a file beside the folders
                if parts and info.type == FileType.Directory:
                    group.setdefault(parts[0], Stored())
                continue
            found = group.setdefault(parts[0], Stored())
            if info.type == FileType.File:
                written = (info.mtime_ns or 0) // 10**6
                found.bytes += info.size or 0
                found.newest = max(found.newest, written)
                found.held |= len(parts) == 3 and parts[1] == LEASES and self._is_held(path, written)
        return runs, datasets

    def anybody_trains(self) -> bool:
        """Whether the lease of a process that may be alive lies anywhere in the storage."""
        return any(found.held for found in self.folders()[0].values())

    def remove(self, name: str) -> None:
        """Remove a run's folder, if it is there."""
        self._remove(f"{self._root}/{name}")

    def remove_dataset(self, md5: str) -> None:
        """Remove a dataset: the list first, without which the rest counts for nothing."""
        folder = f"{self._root}/{DATASETS}/{md5}"
        with storage_errors(self.address), suppress(FileNotFoundError):
            self._files.delete_file(f"{folder}/{LIST}")
        self._remove(folder)

    def _remove(self, folder: str) -> None:
        with storage_errors(self.address), suppress(FileNotFoundError):
            self._files.delete_dir(folder)

    def _listed(self) -> Iterator[tuple[str, FileInfo]]:
        with storage_errors(self.address):
            for info in self._files.get_file_info(FileSelector(self._root, allow_not_found=True, recursive=True)):
                yield info.path.removeprefix(f"{self._root}/"), info

    def _is_held(self, path: str, written: int) -> bool:
        """Whether a lease may be a living process's; what is certain is asked when a run's turn comes."""
        try:
            with self._files.open_input_stream(f"{self._root}/{path}") as file:
                holder = Holder.parse(bytes(file.read()))
        except FileNotFoundError:  # it has just let go
            return False
        dead = holder is not None and holder.process.is_dead
        return not dead and time.time() - written / 1000 < STALE_SECONDS + _CLOCKS_APART
