"""The driver's part: a version of the dataset put where every node of the cluster finds it."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from gan.errors import DatasetError
from tasks.dataset.in_storage import BLOCK_BYTES, LIST, StoredVersion, read_list, written_list
from tasks.dataset.repository import version_files
from tasks.dataset.session import broken_object
from tasks.runtime.patience import patiently
from tasks.runtime.progress import AnyLogger, progress
from tasks.runtime.settings import Settings

# What DVC is told of a version; the rest of a `data.dvc` says nothing that it needs to find the files.
POINTER = "outs:\n- md5: {}.dir\n  hash: md5\n  path: data\n"


def publish_version(settings: Settings, md5: str, logger: AnyLogger) -> bool:
    """Put a version into the storage, from DVC's cache, unless it is there whole.

    What an earlier try has put there is kept. Several drivers may do this at once, for they put the same.

    Args:
        settings: say where repository and storage are.
        md5: the version.
        logger: told how far it is, and what has to be tried again.

    Returns:
        Whether there was anything to put.

    Raises:
        DatasetError: the version is not to be had, or broken, or no dataset.
        GanflowError: DVC refuses, or the storage does.
    """
    stored = StoredVersion(settings.storage, md5)
    files = version_files(settings, md5, POINTER.format(md5))
    content = written_list({name: file.parent.name + file.name for name, file in files.items()})
    try:
        listed = read_list(content, md5)
    except ValueError as error:
        raise DatasetError(f"dataset {md5} cannot be given to the nodes ({error}): ingest it again") from None
    sizes = {name: file.stat().st_size for name, file in files.items()}
    there = patiently(stored.sizes, f"looking for {stored}", logger.warning)
    missing = [name for name in sorted(files) if there.get(name) != sizes[name]]
    if not missing and patiently(stored.read_list, f"looking for {stored}", logger.warning) == content:
        return False
    done = sum(sizes.values()) - sum(sizes[name] for name in missing)
    with progress("publishing", sum(sizes.values()), logger, unit="bytes") as reporter:
        for name in missing:
            _require_md5(md5, name, files[name], listed[name])

            def put(name: str = name, done: int = done) -> None:
                stored.put(name, _blocks(files[name], lambda count: reporter(done + count, name)))

            patiently(put, f"putting {name} of {stored} there", logger.warning)
            done += sizes[name]
        patiently(lambda: stored.put(LIST, iter([content])), f"putting {LIST} of {stored} there", logger.warning)
    return True


def _require_md5(md5: str, name: str, file: Path, wanted: str) -> None:
    """Read a file through before it is sent: an object that is half right cannot be called back."""
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() != wanted:
            raise broken_object(md5, name, file, "its md5 is another")


def _blocks(file: Path, on_progress: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    with file.open("rb") as opened:
        while block := opened.read(BLOCK_BYTES):
            yield block
            done += len(block)
            on_progress(done)
