"""The files of a collection by their relative paths, the same for a folder, a zip and a tar."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from gan.data.files.blob import Blob
from gan.data.records import Reject
from gan.text.shown import shown

SYMBOLIC_LINK = "symbolic link"
_MACOS = "__MACOSX"


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
    """

    name: str
    where: str
    entries: tuple[Entry, ...]
    rejects: tuple[Reject, ...] = ()
    empty_folders: tuple[str, ...] = ()
    is_archive: bool = False
    is_parquet: bool = False
    notes: tuple[str, ...] = ()


def folder_tree(root: Path) -> Tree:
    """List a folder; no file is opened.

    Raises:
        OSError: it, or a folder below it, cannot be listed.
    """
    rejects: list[Reject] = []
    entries = sorted(_walk(str(root), "", rejects), key=itemgetter(0))
    filled = {entry.path.split("/", 1)[0] for entry in entries if "/" in entry.path}
    folders = {printable(each.name) for each in os.scandir(root) if each.is_dir(follow_symlinks=False)}
    empty = sorted(name for name in folders - filled if not is_hidden(name))
    name = printable(root.resolve().name or "images")
    return Tree(name, str(root), tuple(entries), tuple(sorted(rejects, key=str)), tuple(empty))


def _walk(folder: str, prefix: str, rejects: list[Reject]) -> Iterator[Entry]:
    folders = [(folder, prefix)]
    while folders:
        folder, prefix = folders.pop()
        with os.scandir(folder) as found:
            for each in found:
                path = prefix + each.name
                if each.name.startswith(".") or each.name == _MACOS:
                    continue
                if each.is_dir(follow_symlinks=False):
                    folders.append((each.path, path + "/"))
                elif each.is_symlink() and os.path.isdir(each.path):
                    rejects.append(Reject(printable(path), SYMBOLIC_LINK, "a linked folder"))
                else:
                    state = each.stat(follow_symlinks=False)
                    blob = Blob(each.path, state.st_size, -1, -1, -1, state.st_mtime_ns)
                    yield Entry(path if path.isascii() else printable(path), blob)


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
