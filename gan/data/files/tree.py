"""The files of a collection by their relative paths, the same for a folder, a zip and a tar."""

import os
import re
from collections.abc import Iterator
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


class Entry(NamedTuple):
    """One file: its printable path within the collection, with `/` between parts, and where its bytes lie."""

    path: str
    blob: Blob


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


def folder_tree(root: Path) -> Tree:
    """List a folder; no file is opened.

    Raises:
        OSError: it, or a folder below it, cannot be listed.
    """
    walk = _Walk(str(root))
    entries = sorted(walk.entries(), key=itemgetter(0))
    filled = {entry.path.split("/", 1)[0] for entry in entries if "/" in entry.path}
    folders = {printable(each.name) for each in os.scandir(root) if each.is_dir(follow_symlinks=False)}
    empty = sorted(name for name in folders - filled if not is_hidden(name))
    name = printable(root.resolve().name or "images")
    rejects = tuple(sorted(walk.rejects, key=str))
    return Tree(name, str(root), tuple(entries), rejects, tuple(empty), hidden=walk.hidden, files=walk.files)


class _Walk:
    """A walk through a folder: yields its files, and counts and keeps what is none."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.rejects: list[Reject] = []
        self.hidden = 0
        self.files = 0

    def entries(self) -> Iterator[Entry]:
        folders = [(self._root, "")]
        while folders:
            folder, prefix = folders.pop()
            with os.scandir(folder) as found:
                for each in found:
                    if each.name.startswith(".") or each.name == _MACOS:
                        self._hide(each)
                        continue
                    path = prefix + each.name
                    if each.is_dir(follow_symlinks=False):
                        folders.append((each.path, path + "/"))
                        continue
                    self.files += 1
                    if each.is_symlink() and os.path.isdir(each.path):
                        self._refuse_folder(each.path, printable(path))
                        continue
                    state = each.stat(follow_symlinks=False)
                    blob = Blob(each.path, state.st_size, -1, -1, -1, state.st_mtime_ns)
                    yield Entry(path if path.isascii() else printable(path), blob)

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
