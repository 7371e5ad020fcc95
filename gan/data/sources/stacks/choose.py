"""Which arrays of a collection are images and which are their labels: told by names, else by shapes, else asked."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from gan.data.files.archive import zip_tree
from gan.data.files.tree import Entry, Tree, in_tree
from gan.data.files.unpack import head_of
from gan.data.sources.arrays import plain_file
from gan.data.sources.stacks.header import HEADER_BYTES, MAGIC, Header, read_header
from gan.data.sources.stacks.names import ArrayName, take_apart
from gan.errors import DatasetError
from gan.text.shown import shown

_LISTED = 6


class Array(NamedTuple):
    """An array of a collection: where its file lies, and its header, or why that cannot be used."""

    path: str
    entry: Entry
    name: ArrayName
    header: Header | None
    problem: str = ""

    def usable(self, where: str) -> Header:
        """Return the header.

        Raises:
            DatasetError: there is none.
        """
        if self.header is None:
            raise DatasetError(f"{in_tree(self.path, where)} is {self.problem}: leave it out or save it anew")
        return self.header


class Pair(NamedTuple):
    """Images, and the labels that belong to them, if any."""

    images: Array
    labels: Array | None


def is_numpy(tree: Tree) -> bool:
    """Return whether a tree holds arrays of NumPy, or archives of them."""
    if any(_is_array(entry.path) for entry in tree.entries):
        return True
    return len(tree.entries) == 1 and head_of(tree.entries[0].blob, len(MAGIC)) == MAGIC


def list_arrays(tree: Tree, scratch: Path) -> list[Array]:
    """List the arrays of a tree, those in its `.npz` files too; their values are not looked at.

    Raises:
        DatasetError: an archive of arrays is broken.
    """
    return list(_listed(tree, scratch))


def pair(arrays: Sequence[Array], where: str, *, use_labels: bool) -> list[Pair]:
    """Find the images of each split, and their labels.

    Raises:
        DatasetError: there are none, or several arrays may be meant, or what is meant cannot be used.
    """
    chosen = _images(arrays, where)
    return [Pair(each, _labels(each, arrays, chosen, where) if use_labels else None) for each in chosen]


def _is_array(path: str) -> bool:
    return path.lower().endswith((".npy", ".npz"))


def _listed(tree: Tree, scratch: Path) -> Iterator[Array]:
    alone = len(tree.entries) == 1
    for entry in tree.entries:
        if entry.path.lower().endswith(".npz"):
            inner = zip_tree(plain_file(entry, tree.where, scratch), in_tree(entry.path, tree.where))
            for member in inner.entries:
                if _is_array(member.path):
                    yield _array(Entry(f"{entry.path}/{member.path}", member.blob))
        elif alone or _is_array(entry.path):
            yield _array(entry)


def _array(entry: Entry) -> Array:
    name = take_apart(entry.path)
    path = entry.path[: -len(".npy")] if entry.path.lower().endswith(".npy") else entry.path
    head = head_of(entry.blob, HEADER_BYTES)
    if not head:
        return Array(path, entry, name, None, "empty or cannot be read")
    try:
        return Array(path, entry, name, read_header(head, entry.blob.size))
    except ValueError as error:
        return Array(path, entry, name, None, str(error))


def _images(arrays: Sequence[Array], where: str) -> list[Array]:
    chosen = [each for each in arrays if each.name.role == "images"]
    chosen = chosen or [
        each for each in arrays if not each.name.role and each.header and len(each.header.shape) in {3, 4}
    ]
    for each in chosen or arrays:
        each.usable(where)
    if not chosen:
        raise DatasetError(
            f"{where} has no array of images ({_list(arrays)}): call one images, and their labels labels"
        )
    places = {(each.name.parent, each.name.split) for each in chosen}
    splits = {each.name.split for each in chosen}
    if len(places) < len(chosen) or len({each.name.rest for each in chosen}) > 1 or ("" in splits and len(splits) > 1):
        _ask(chosen, where, "the images", "images or, for each split, train_images and test_images")
    return sorted(chosen, key=lambda each: (each.name.split == "test", each.path))


def _labels(images: Array, arrays: Sequence[Array], chosen: Sequence[Array], where: str) -> Array | None:
    others = [each for each in arrays if each.name.split == images.name.split and each not in chosen]
    named = [each for each in others if each.name.role == "labels"]
    beside = [each for each in named if each.name.parent == images.name.parent]
    found = [each for each in beside or named if each.name.rest == images.name.rest] or beside
    if not named and not images.name.role:  # arr_0 and arr_1
        found = [each for each in others if each.name.parent == images.name.parent and _may_be_labels(each, images)]
    if len(found) > 1:
        _ask(found, where, f"the labels of {shown(images.path)}", "labels, or give --labels none")
    if not found:
        return None
    count, labelled = images.usable(where).shape[0], found[0].usable(where).shape
    if labelled[:1] != (count,):
        raise DatasetError(
            f"{in_tree(images.path, where)} has {count:,} images, but {shown(found[0].path)} is of shape {labelled}: "
            "they do not belong together"
        )
    return found[0]


def _may_be_labels(array: Array, images: Array) -> bool:
    header, count = array.header, images.header.shape[0] if images.header else 0
    return header is not None and header.shape in {(count,), (count, 1)} and header.dtype.kind in "iuUS"


def _ask(arrays: Sequence[Array], where: str, what: str, name: str) -> NoReturn:
    raise DatasetError(f"{where} has several arrays that may be {what} ({_list(arrays)}): give one, called {name}")


def _list(arrays: Sequence[Array]) -> str:
    shapes = [f"{shown(each.path)} {each.header.shape}" if each.header else shown(each.path) for each in arrays]
    return ", ".join(shapes[:_LISTED]) + (f" and {len(shapes) - _LISTED} more" if len(shapes) > _LISTED else "")
