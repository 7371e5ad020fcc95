"""The files of a collection by their relative paths, the same for a folder, a zip and a tar."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from gan.data.files.blob import Blob
from gan.data.records import Reject
from gan.text.shown import shown

SYMBOLIC_LINK = "symbolic link"
_MACOS = "__MACOSX"
_MOST_LINKED = 100_000  # files of a linked folder that are counted
_TOLD_EVERY = 10_000  # files

OnListed = Callable[[int], None]
"""Called with how many files were listed so far."""


class Entry(NamedTuple):
    """One file of a collection.

    Attributes:
        path: its printable path within the collection, with `/` between parts.
        place: where its bytes lie; or, of a file by itself, its path on this machine, or the folder with a slash behind
            it that `path` begins at: a million files have one text less each.
    """

    path: str
    place: Blob | str

    @property
    def blob(self) -> Blob:
        """Where its bytes lie; size and age of a file by itself are looked at now, which some disks take long for."""
        if isinstance(self.place, Blob):
            return self.place
        file = self.place + self.path if self.place.endswith("/") else self.place
        try:
            state = os.lstat(file)
        except OSError:  # whoever reads it finds out why
            return Blob(file, 0)
        return Blob(file, state.st_size, modified=state.st_mtime_ns)


@dataclass(frozen=True)
class Tree:
    """All files of a collection.

    Attributes:
        name: what the collection is called.
        where: the folder or archive, for messages.
        entries: sorted by path; hidden files are left out.
        rejects: what must not be read, such as links.
        empty_folders: folders directly below the root that hold no file.
        is_archive: whether the files lie in one archive.
        is_parquet: whether it is a single Parquet file, whatever it is called.
        notes: what a person should know about the collection, such as names that come twice.
        hidden: how many files are left out of `entries` because systems leave them behind.
        files: how many files there are, counted for themselves: hidden ones, entries and rejects.
    """

    name: str
    where: str
    entries: tuple[Entry, ...]
    rejects: tuple[Reject, ...] = ()
    empty_folders: tuple[str, ...] = ()
    is_archive: bool = False
    is_parquet: bool = False
    notes: tuple[str, ...] = ()
    hidden: int = 0
    files: int = 0


def folder_tree(root: Path, on_listed: OnListed | None = None) -> Tree:
    """List a folder; no file is opened or looked at, only their names are read.

    Raises:
        OSError: it, or a folder below it, cannot be listed.
    """
    walk = _Walk(str(root), on_listed or (lambda count: None))
    entries = tuple(walk.entries())
    empty = sorted(name for name in walk.tops - walk.filled if not is_hidden(name))
    name = printable(root.resolve().name or "images")
    rejects = tuple(sorted(walk.rejects, key=str))
    return Tree(name, str(root), entries, rejects, tuple(empty), hidden=walk.hidden, files=walk.files)


class _Walk:
    """A walk through a folder: yields its files by their sorted paths, and counts and keeps what is none.

    Attributes:
        rejects: what must not be read.
        tops: the folders at the top.
        filled: those of them that hold a file.
    """

    def __init__(self, root: str, on_listed: OnListed) -> None:
        self._root = root
        self._top = root if root.endswith("/") else f"{root}/"
        self._on_listed = on_listed
        self.rejects: list[Reject] = []
        self.tops: set[str] = set()
        self.filled: set[str] = set()
        self.hidden = 0
        self.files = 0

    def entries(self) -> Iterator[Entry]:
        """Yield the files. A folder is sorted by itself, its subfolders with the slash: so all paths are in order."""
        open_folders = [iter(self._listed(self._root, ""))]
        while open_folders:
            for each in open_folders[-1]:
                if each.path.endswith("/"):
                    assert isinstance(each.place, str)
                    open_folders.append(iter(self._listed(each.place, each.path)))
                    break
                yield each
            else:
                open_folders.pop()
        self._on_listed(self.files)

    def _listed(self, folder: str, prefix: str) -> list[Entry]:
        """List one folder, sorted: its files, and its subfolders as entries that end in a slash."""
        listed: list[Entry] = []
        # Where a folder's name is no UTF-8, `prefix` is another text.
        top = self._top if os.path.join(folder, "") == self._top + prefix else ""
        with os.scandir(folder) as found:
            for each in found:
                name = each.name
                if name.startswith(".") or name == _MACOS:
                    self._hide(each)
                elif each.is_dir(follow_symlinks=False):
                    listed.append(Entry(f"{prefix}{printable(name)}/", each.path))
                else:
                    self._count()
                    path = prefix + printable(name)
                    if each.is_symlink() and os.path.isdir(each.path):
                        self._refuse_folder(each.path, path)
                    else:
                        listed.append(Entry(path, top if top and name.isascii() else each.path))
        listed.sort(key=itemgetter(0))
        if not prefix:
            self.tops = {each.path[:-1] for each in listed if each.path.endswith("/")}
        elif any(not each.path.endswith("/") for each in listed):
            self.filled.add(prefix.partition("/")[0])
        return listed

    def _count(self) -> None:
        self.files += 1
        if not self.files % _TOLD_EVERY:
            self._on_listed(self.files)

    def _hide(self, each: "os.DirEntry[str]") -> None:
        hidden = 1
        if each.is_dir(follow_symlinks=False):
            hidden = sum(len(files) for _, _, files in os.walk(each.path))
        self.hidden += hidden
        self.files += hidden

    def _refuse_folder(self, link: str, path: str) -> None:
        """Refuse what lies in a linked folder, file by file: a class that is a link has as many images as others."""
        inside = list(islice(_files_of(link), _MOST_LINKED))
        self.files += max(0, len(inside) - 1)
        names = [f"{path}/{printable(each)}" for each in inside] or [path]
        self.rejects += [Reject(name, SYMBOLIC_LINK, "a linked folder") for name in names]


def _files_of(link: str) -> Iterator[str]:
    """Yield the files of a linked folder by their paths in it; of one that leads back to where it lies, none."""
    target = os.path.realpath(link)
    if os.path.commonpath([target, os.path.realpath(os.path.dirname(link))]) == target:
        return
    for folder, _, files in os.walk(target):
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), target)
            if not is_hidden(path):
                yield path


def in_tree(path: str, where: str) -> str:
    """Return what messages call a file of a tree; where the tree is that one file, it is called so once."""
    return where if where.endswith(path) else f"{shown(path)} in {where}"


def is_hidden(path: str) -> bool:
    """Return whether any part of a path is what systems leave behind, such as macOS's `._photo.jpg`."""
    return any(
        (part.startswith(".") and part not in {".", ".."}) or part == _MACOS for part in re.split(r"[/\\]", path)
    )


def printable(path: str) -> str:
    """Replace bytes that are no UTF-8, which no JSON or Parquet text may hold."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "replace")
