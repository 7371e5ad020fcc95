"""A release on its way: the shards that are done stay, whatever ends the command, and the next one goes on from them.

`.ganflow/releases/<name>/` holds `settings.json`, the release's own files in `files/`, and in `shards/` a record of
each shard, which is written last and by which a shard counts. The folder is there until the release is recorded: for so
long it is unfinished, wherever its files lie. A lock beside it lets one process make the release.
"""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import Timeout

from gan.data.files.atomic import sync_folder, write_whole
from gan.data.files.digest import file_sha256
from gan.errors import OutOfPatienceError
from gan.release.recipe import Fingerprints
from gan.release.rows import Rows
from tasks.generate.packed import Packed
from tasks.releases.unpublished import lock_of
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings

_SETTINGS, _FILES, _SHARDS, _REDRAWN, _JOINED = "settings.json", "files", "shards", "redrawn.json", "prints.npy"
_BROKEN = (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
_FEW = 8  # files, each of which the disk is asked to keep; of more, it is asked once


@dataclass(frozen=True)
class ShardRecord:
    """A shard that lies in the partial folder.

    Attributes:
        files: sha256 by path below the release's folder.
        asked: images that were drawn for it, by label.
        rejected: of these, by reason and label.
        copies: images that equal a training image.
        attempts: [n] int64, the attempt at which each row was kept.
        fingerprints: [n, ...], read from the disk where they are looked at; None where nobody asks.
    """

    files: dict[str, str]
    asked: dict[int, int]
    rejected: dict[str, dict[int, int]]
    copies: int
    attempts: Rows
    fingerprints: Fingerprints | None


@dataclass
class Partial:
    """The folder of a release that one process builds.

    Attributes:
        folder: in the home.
        shards: by index, those that are done.
        other: a setting in which an unfinished release of the name differed, with its value and ours; it was removed.
    """

    folder: Path
    shards: dict[int, ShardRecord] = field(default_factory=dict)
    other: tuple[str, Any, Any] | None = None

    @property
    def files(self) -> Path:
        """What becomes the release's folder."""
        return self.folder / _FILES

    def keep(self, packed: Packed, copies: int) -> None:
        """Write a shard so that it counts; one of that index that was there no longer does meanwhile.

        Args:
            packed: the shard.
            copies: of its images that equal a training image.
        """
        before = self.shards.pop(packed.index, None)
        record = self._record(packed.index)
        record.unlink(missing_ok=True)
        for path, data, _ in packed.files:
            place = self.files / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if len(packed.files) <= _FEW:
                write_whole(place, data)
            else:
                place.write_bytes(data)
        if len(packed.files) > _FEW:
            os.sync()
        for kind, array in (("attempts", packed.attempts), ("prints", packed.fingerprints)):
            if array is not None:
                write_whole(record.with_suffix(f".{kind}"), _saved(array))
        if packed.lines:
            write_whole(record.with_suffix(".lines"), packed.lines)
        files = {path: sha256 for path, _, sha256 in packed.files}
        facts = {"files": files, "asked": packed.asked, "rejected": packed.rejected, "copies": copies}
        write_whole(record, json.dumps(facts))
        for path in (before.files if before else {}).keys() - files.keys():
            (self.files / path).unlink(missing_ok=True)
        prints = _mapped(record.with_suffix(".prints")) if packed.fingerprints is not None else None
        self.shards[packed.index] = ShardRecord(files, packed.asked, packed.rejected, copies, packed.attempts, prints)

    def lines(self, index: int) -> bytes:
        """What the format's index says of a shard's images."""
        return self._record(index).with_suffix(".lines").read_bytes()

    @contextlib.contextmanager
    def fingerprints(self, count: int) -> Iterator[Fingerprints]:
        """Join those of so many shards, in order, into a file that is read where it is looked at: memory holds none.

        Args:
            count: of the release's shards, which are all there.
        """
        path = self.folder / _JOINED
        try:
            with path.open("wb") as file:
                for index in range(count):
                    part = np.ascontiguousarray(self.shards[index].fingerprints)
                    if not index:
                        rows = sum(len(record.attempts) for record in self.shards.values())
                        header = {"descr": np.lib.format.dtype_to_descr(part.dtype), "fortran_order": False}
                        np.lib.format.write_array_header_2_0(file, header | {"shape": (rows, *part.shape[1:])})
                    file.write(part.view(np.uint8).data)
            yield _mapped(path)
        finally:
            path.unlink(missing_ok=True)

    @property
    def redrawn(self) -> list[list[tuple[int, int]]]:
        """Rounds of rows that were duplicates, each with the attempt that is not to be taken."""
        with contextlib.suppress(*_BROKEN):
            rounds = json.loads((self.folder / _REDRAWN).read_bytes())
            return [[(int(row), int(attempt)) for row, attempt in each] for each in rounds]
        return []

    @redrawn.setter
    def redrawn(self, rounds: list[list[tuple[int, int]]]) -> None:
        write_whole(self.folder / _REDRAWN, json.dumps(rounds))

    def _record(self, index: int) -> Path:
        return self.folder / _SHARDS / f"{index:05d}.json"

    def _find(self, count: int) -> None:
        """Find the shards that are whole, and remove what belongs to none."""
        for index in range(count):
            with contextlib.suppress(*_BROKEN):
                self.shards[index] = self._read(index)
        known = {path for record in self.shards.values() for path in record.files}
        for path in [path for path in self.files.rglob("*") if not path.is_dir()]:
            if path.relative_to(self.files).as_posix() not in known:
                path.unlink()

    def _read(self, index: int) -> ShardRecord:
        record = self._record(index)
        facts = json.loads(record.read_bytes())
        for path, sha256 in facts["files"].items():
            if file_sha256(self.files / path) != sha256:
                raise ValueError(path)
        prints = record.with_suffix(".prints")
        return ShardRecord(
            files=facts["files"],
            asked=_by_label(facts["asked"]),
            rejected={reason: _by_label(counts) for reason, counts in facts["rejected"].items()},
            copies=facts["copies"],
            attempts=np.asarray(_loaded(record.with_suffix(".attempts")), np.int64),
            fingerprints=_mapped(prints) if prints.exists() else None,
        )


@contextlib.contextmanager
def partial_release(settings: Settings, name: str, wanted: Mapping[str, Any], count: int) -> Iterator[Partial]:
    """Open the partial folder of a release; it goes with the block where nothing in it is worth keeping.

    Args:
        settings: where the home is.
        name: of the release, which this process alone makes.
        wanted: what its bytes depend on, as a JSON tree; a folder that was begun with another is begun anew.
        count: of its shards.
    """
    folder = settings.unfinished_dir / name
    try:
        yield _opened(folder, json.loads(json.dumps(wanted)), count)
    finally:
        if not any((folder / _SHARDS).glob("*.json")):
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def only_maker(settings: Settings, name: str) -> Iterator[None]:
    """Be the one process that makes a release, from its first image to its record, within the block.

    Raises:
        OutOfPatienceError: another process makes it.
    """
    lock = lock_of(settings.unfinished_dir / name)
    try:
        with hold_lock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise OutOfPatienceError(
            f"release {name} is being drawn by another process: wait until it is there, or give another --name"
        ) from None


def is_unfinished(settings: Settings, name: str) -> bool:
    """Whether a release was begun and is not recorded."""
    return (settings.unfinished_dir / name).exists()


def take_back(settings: Settings, place: Path) -> None:
    """Make a release that got its name an unfinished one again; one that was recorded before stays what it is.

    Args:
        settings: where the home is.
        place: the release's folder.
    """
    files = settings.unfinished_dir / place.name / _FILES
    if is_unfinished(settings, place.name) and place.exists() and not files.exists():
        shutil.move(place, files)


def forget_partial(settings: Settings, name: str) -> None:
    """Remove what is left of the partial folder of a release that is recorded."""
    shutil.rmtree(settings.unfinished_dir / name, ignore_errors=True)


def _opened(folder: Path, wanted: dict[str, Any], count: int) -> Partial:
    partial = Partial(folder)
    if folder.exists():
        found = _settings_of(folder)
        differing = [key for key, value in wanted.items() if found.get(key) != value]
        if differing:
            key = differing[0]
            partial.other = (key, found.get(key), wanted[key]) if found else None
            shutil.rmtree(folder)
    for kind in (_FILES, _SHARDS):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    if not (folder / _SETTINGS).exists():
        write_whole(folder / _SETTINGS, json.dumps(wanted))
        sync_folder(folder.parent)
    partial._find(count)
    return partial


def _settings_of(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / _SETTINGS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _by_label(counts: Mapping[str, int]) -> dict[int, int]:
    return {int(label): int(count) for label, count in counts.items()}


def _saved(array: npt.NDArray[np.generic]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _loaded(path: Path) -> npt.NDArray[np.generic]:
    array: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
    return array


def _mapped(path: Path) -> npt.NDArray[np.generic]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
