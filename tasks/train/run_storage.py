"""A training run's folder in the storage: a path or the URL of an object store, the same for driver and workers."""

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path

from pyarrow.fs import FileSelector, FileType, LocalFileSystem, copy_files

from gan.data.files.atomic import write_whole
from gan.training.checkpoint import (
    HASHES,
    HEADER,
    TENSORS,
    Write,
    hashes_hold,
    remove_partial,
    write_whole_folder,
)
from gan.training.header import Header
from tasks.runtime.storage import open_storage

WARM_START = "warm-start"
# Ray Train's own list of the checkpoints that were reported to it; it is written in place.
RAY_LIST = "checkpoint_manager_snapshot.json"


class RunStorage:
    """Checkpoints of one run, by the names that Ray Train gave them; these sort by time.

    Args:
        storage: `Settings.storage`.
        run: the run's name.

    Raises:
        InputError: the storage is no path and no URL that can be used, or has a credential in it.
    """

    def __init__(self, storage: str, run: str) -> None:
        self.run = run
        self._files, root = open_storage(storage)
        self._folder = f"{root.rstrip('/')}/{run}"

    def checkpoints(self) -> list[str]:
        """Names of the checkpoints whose hash list is there, newest first; it comes last, so nothing else is whole."""
        found = self._files.get_file_info(FileSelector(self._folder, allow_not_found=True))
        names = [each.base_name for each in found if each.base_name.startswith("checkpoint_")]
        return sorted((name for name in names if self._has(f"{name}/{HASHES}")), reverse=True)

    def header(self, name: str) -> Header:
        """Read a checkpoint's header alone.

        Raises:
            CheckpointError: its format is not this code's.
            OSError: it cannot be read.
        """
        with self._files.open_input_stream(f"{self._folder}/{name}/{HEADER}") as file:
            return Header.parse(file.read(), f"the checkpoint {name} of run {self.run}")

    def fetch(self, name: str, destination: Path) -> Path:
        """Copy a folder of the run into a local one, which is made where it is not there, and return that."""
        destination.mkdir(parents=True, exist_ok=True)
        copy_files(
            f"{self._folder}/{name}",
            str(destination),
            source_filesystem=self._files,
            destination_filesystem=LocalFileSystem(),
        )
        return destination

    def put_checkpoint(self, name: str, write: Write, scratch: Path) -> None:
        """Write a checkpoint, whole or not at all: on a disk it is renamed, elsewhere its hash list comes last.

        Args:
            name: of the checkpoint.
            write: fills a folder with it.
            scratch: a local folder, for one on its way to an object store.
        """
        if isinstance(self._files, LocalFileSystem):
            write_whole_folder(Path(self._folder, name), write)
            return
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            write(Path(folder))
            for file in (TENSORS, HEADER, HASHES):
                self._upload(Path(folder, file), f"{name}/{file}")

    def keep(self, folder: Path, name: str) -> None:
        """Copy a local folder into the run's."""
        self._files.create_dir(f"{self._folder}/{name}")
        copy_files(
            str(folder),
            f"{self._folder}/{name}",
            source_filesystem=LocalFileSystem(),
            destination_filesystem=self._files,
        )

    def put(self, name: str, content: bytes) -> None:
        """Write a small file of the run's folder, so that a reader sees the whole of it or what was there before."""
        path = f"{self._folder}/{name}"
        if isinstance(self._files, LocalFileSystem):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_whole(Path(path), content)
        else:  # object stores do not show what is half written
            with self._files.open_output_stream(path) as file:
                file.write(content)

    def read(self, name: str) -> bytes | None:
        """Read a small file of the run's folder; None where there is none."""
        try:
            with self._files.open_input_stream(f"{self._folder}/{name}") as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove a file of the run's folder, if it is there."""
        with suppress(FileNotFoundError):
            self._files.delete_file(f"{self._folder}/{name}")

    def times(self, folder: str) -> dict[str, float]:
        """Return when each file in a folder of the run's was written, in seconds by the storage's clock."""
        found = self._files.get_file_info(FileSelector(f"{self._folder}/{folder}", allow_not_found=True))
        # Drafts begin with a dot.
        named = (each for each in found if each.type == FileType.File and not each.base_name.startswith("."))
        return {each.base_name: each.mtime_ns / 1e9 for each in named}

    def drop_broken_list(self) -> bool:
        """Remove Ray Train's list where a kill has cut it short: Ray would refuse the run, but needs no list.

        Returns:
            Whether there was one to remove.
        """
        if not self._has(RAY_LIST):
            return False
        try:
            json.loads(self._list())
        except (ValueError, RecursionError):
            self._files.delete_file(f"{self._folder}/{RAY_LIST}")
            return True
        return False

    def is_whole(self, name: str) -> bool:
        """Whether a checkpoint is complete by its hashes, for which all of it is read.

        Raises:
            OSError: it cannot be read now, which says nothing of it.
        """
        try:
            return hashes_hold(self.read(f"{name}/{HASHES}") or b"", lambda file: self._sha256(f"{name}/{file}"))
        except FileNotFoundError:
            return False

    def drop_cut(self) -> list[str]:
        """Remove checkpoints that a kill or a full disk cut short; call it while nobody trains the run.

        On an object store these are those without a hash list, which is written last: so nothing else is read. Those
        that Ray Train has on its list stay, for they were whole; so does everything where nothing is whole.

        Returns:
            Names of those removed.
        """
        found = self._files.get_file_info(FileSelector(self._folder, allow_not_found=True))
        folders = (each.base_name for each in found if each.type == FileType.Directory)
        names = sorted(name for name in folders if name.startswith("checkpoint_"))
        on_disk = isinstance(self._files, LocalFileSystem)
        if on_disk:
            remove_partial(Path(self._folder))
        whole = {name for name in names if (self.is_whole(name) if on_disk else self._has(f"{name}/{HASHES}"))}
        if not whole:
            return []
        cut = [name for name in names if name not in whole and name not in self._list()]
        for name in cut:
            self._files.delete_dir(f"{self._folder}/{name}")
        return cut

    def _upload(self, file: Path, name: str) -> None:
        copy_files(
            str(file),
            f"{self._folder}/{name}",
            source_filesystem=LocalFileSystem(),
            destination_filesystem=self._files,
        )

    def _sha256(self, name: str) -> str:
        with self._files.open_input_stream(f"{self._folder}/{name}") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _list(self) -> str:
        if not self._has(RAY_LIST):
            return ""
        with self._files.open_input_stream(f"{self._folder}/{RAY_LIST}") as file:
            return str(file.read(), "utf-8", "replace")

    def _has(self, path: str) -> bool:
        return bool(self._files.get_file_info(f"{self._folder}/{path}").type == FileType.File)
