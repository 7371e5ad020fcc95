"""A version of the dataset in the storage of a cluster, where each node can check it by its md5 alone.

`datasets/<md5>/` holds the files of `data/` and, as the last one, DVC's own list of them. The md5 of that list is the
name of the version, and the list has the md5 of each file: whatever somebody writes there, nothing passes for another.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSelector, FileType, LocalFileSystem

from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.store.dataset import INFO_FILE
from gan.errors import DatasetError
from gan.release.croissant import FILE as CROISSANT
from gan.text.credentials import bare_address
from tasks.runtime.storage import open_storage, storage_errors

FOLDER = "datasets"
LIST = "files.json"
BLOCK_BYTES = 2**23  # an object store is asked once for each
_MOST_BYTES = 2**26  # of a list: half a million shards
_NAME = re.compile(
    rf"{re.escape(INFO_FILE)}|{re.escape(CROISSANT)}|(?:train|test)-[0-9]{{5,10}}-of-[0-9]{{5,10}}\.parquet"
)
_MD5 = re.compile("[0-9a-f]{32}")


def written_list(files: Mapping[str, str]) -> bytes:
    """Return what DVC writes of a folder: byte for byte the object whose md5 is the folder's.

    Args:
        files: md5 by name.
    """
    entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return json.dumps(entries, sort_keys=True).encode()


def read_list(content: bytes, md5: str) -> dict[str, str]:
    """Return the md5 of each file by its name, after checking that this is the list of the version.

    Raises:
        ValueError: it is not, or names what no dataset holds; the message says which.
    """
    if md5_of(content) != md5:
        raise ValueError("its list of files was cut short or altered")
    try:
        files = {entry["relpath"]: entry["md5"] for entry in json.loads(content)}
        named = all(_NAME.fullmatch(name) and _MD5.fullmatch(each) for name, each in files.items())
    except (ValueError, TypeError, LookupError, RecursionError):
        raise ValueError("its list of files is malformed") from None
    if not named or INFO_FILE not in files or written_list(files) != content:
        raise ValueError("its list names other files than a dataset has")
    return files


def md5_of(content: bytes) -> str:
    """Return the md5 of bytes, in hexadecimal."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class StoredVersion:
    """One version in a storage; what is asked raises a `GanflowError` where the storage fails.

    Args:
        storage: `Settings.storage`.
        md5: the version.

    Raises:
        InputError: the storage cannot be used.
    """

    def __init__(self, storage: str, md5: str) -> None:
        self.storage = storage
        self.md5 = md5
        self._files, root = open_storage(storage)
        self._folder = f"{root}/{FOLDER}/{md5}"

    def __str__(self) -> str:
        """Name it as a sentence does."""
        return f"dataset {self.md5} in the storage {bare_address(self.storage)}"

    def sizes(self) -> dict[str, int]:
        """Bytes of each file that is there, by name."""
        with storage_errors(self.storage):
            found = self._files.get_file_info(FileSelector(self._folder, allow_not_found=True))
        return {each.base_name: each.size for each in found if each.type == FileType.File}

    def read_list(self) -> bytes | None:
        """Read the list as it is there; None where there is none yet."""
        with storage_errors(self.storage):
            try:
                with self._files.open_input_stream(f"{self._folder}/{LIST}") as file:
                    return bytes(file.read(_MOST_BYTES))
            except FileNotFoundError:
                return None

    def blocks(self, name: str) -> Iterator[bytes]:
        """Read a file in blocks."""
        with storage_errors(self.storage):
            stream = self._files.open_input_stream(f"{self._folder}/{name}")
        with stream:
            while block := self._block(stream):
                yield block

    def put(self, name: str, blocks: Iterator[bytes]) -> None:
        """Write a file, which is there as a whole or not at all."""
        path = f"{self._folder}/{name}"
        with storage_errors(self.storage):
            if isinstance(self._files, LocalFileSystem):
                folder = Path(path).parent
                folder.mkdir(parents=True, exist_ok=True)
                sweep_drafts(folder)
                with replacing(Path(path)) as draft, draft.open("wb") as file:
                    file.writelines(blocks)
                return
            with self._files.open_output_stream(path) as file:  # object stores do not show what is half written
                for block in blocks:
                    file.write(block)

    def damaged(self, why: object) -> DatasetError:
        """The error for a version that is not in the storage as it was put there."""
        return DatasetError(
            f"{self} is not as it was put there ({why}): remove {FOLDER}/{self.md5} from the storage and train again, "
            "which puts it there anew"
        )

    def _block(self, stream: Any) -> bytes:
        with storage_errors(self.storage):
            return bytes(stream.read(BLOCK_BYTES))
