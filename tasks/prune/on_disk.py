"""What this home keeps on its disk: pages of evaluations, caches, logs, and results that Prefect may read again."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gan.data.store.resident_cache import RECORD, writing
from tasks.releases.unpublished import quarantined, unfinished
from tasks.runtime.settings import Settings

MD5 = re.compile("[0-9a-f]{32}")
# In a result of Prefect's, whose own JSON holds that of the step as a text.
_NAMED = re.compile(rb"evaluation_run\W{1,12}([0-9a-f]{32})")
_LARGEST_RESULT = 2**24


@dataclass(frozen=True)
class OnDisk:
    """A file or folder.

    Attributes:
        path: where it lies.
        bytes: of its files.
        newest: when the last of them was written, in milliseconds since 1970.
        whole: whether it is what its name says; a decoded dataset without its record is not.
        names: ids of the evaluations that it names.
    """

    path: Path
    bytes: int
    newest: int
    whole: bool = True
    names: frozenset[str] = frozenset()


def pages(settings: Settings) -> list[OnDisk]:
    """Folders of evaluations."""
    return [_seen(path) for path in _inside(settings.state_dir / "evaluations") if path.is_dir()]


def unfinished_releases(settings: Settings) -> list[OnDisk]:
    """Releases that are being drawn, or were when their process was killed."""
    return [_seen(path) for path in unfinished(settings)]


def quarantined_releases(settings: Settings) -> list[OnDisk]:
    """Releases that are not fit to be handed on."""
    return [_seen(path) for path in quarantined(settings)]


def decoded_datasets(settings: Settings) -> list[OnDisk]:
    """Decoded versions of the dataset."""
    found = (path for path in _inside(settings.resident_dir) if path.is_dir() and MD5.fullmatch(path.name))
    return [_seen(path, whole=(path / RECORD).is_file()) for path in found]


def features(settings: Settings) -> list[OnDisk]:
    """Features of real images, a folder for each set."""
    return [_seen(path) for path in _inside(settings.cache_dir / "features") if path.is_dir()]


def logs(settings: Settings) -> list[OnDisk]:
    """Logs of `ganflow up`."""
    return [_seen(path) for path in _inside(settings.state_dir / "logs") if path.is_file()]


def results(settings: Settings) -> list[OnDisk]:
    """What steps gave, as Prefect keeps it."""
    found = []
    for path in _inside(settings.state_dir / "prefect" / "storage"):
        with suppress(OSError):
            small = path.is_file() and path.stat().st_size <= _LARGEST_RESULT
            named = frozenset(each.decode() for each in _NAMED.findall(path.read_bytes())) if small else frozenset()
            found.append(_seen(path, names=named))
    return found


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_decoded(settings: Settings, md5: str) -> None:
    """Remove a decoded version: its record first, without which the rest counts for nothing."""
    folder = settings.resident_dir / md5
    with writing(settings.resident_dir, md5):
        (folder / RECORD).unlink(missing_ok=True)
        remove(folder)


def busy(settings: Settings) -> list[str]:
    """What commands of this home are at: kinds of their temporary folders, when those of dead ones are removed."""
    return sorted({path.name.rpartition("-")[0] for path in _inside(settings.state_dir / "scratch") if path.is_dir()})


def _inside(folder: Path) -> list[Path]:
    """Return what lies in a folder; names that begin with a dot are of something under way."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _seen(path: Path, *, whole: bool = True, names: frozenset[str] = frozenset()) -> OnDisk:
    found = [(status.st_size, status.st_mtime_ns // 10**6) for status in _statuses(path)]
    own = path.lstat().st_mtime_ns // 10**6
    newest = max((time for _, time in found), default=own)
    return OnDisk(path, sum(size for size, _ in found), newest, whole, names)


def _statuses(path: Path) -> Iterator[os.stat_result]:
    for each in [path, *path.rglob("*")] if path.is_dir() else [path]:
        with suppress(OSError):  # somebody else removes it
            if each.is_file():
                yield each.lstat()
