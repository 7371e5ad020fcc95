"""Which files of a tree are the images of a set, and what classes their folders make."""

from collections.abc import Sequence
from os.path import commonprefix

import numpy as np
from numpy.typing import NDArray

from gan.data.files.tree import SYMBOLIC_LINK, Entry, Tree
from gan.data.pixels.decode import is_image_name
from gan.data.pixels.formats import SUFFIXES
from gan.data.records import UNLABELLED, Reject
from gan.data.sources.labels.files import is_label_file
from gan.data.sources.layout.folder import Folder
from gan.data.sources.layout.names import in_order
from gan.data.sources.layout.read import read_layout
from gan.errors import DatasetError, InputError


def select_images(tree: Tree, split: str | None) -> tuple[list[Entry], NDArray[np.int64], tuple[str, ...]]:
    """Choose a tree's images, or those in the subfolder of a split, and label them by folder.

    Classes are the first subfolders below the split, or those that ingesting finds. There are none where an image lies
    outside of them, a file of labels lies beside them, or ingesting would have to ask.

    Args:
        tree: of a folder or archive.
        split: name of a subfolder at the top; None takes all images.

    Returns:
        The files by their sorted paths, `[N]` int64 labels, -1 for none, and class names by label.

    Raises:
        DatasetError: there is no image, or one that must not be read.
        InputError: no image lies in such a subfolder.
    """
    entries = [entry for entry in tree.entries if is_image_name(entry.path)]
    # What may be images is not left out unnoticed; a link may be a folder of them.
    rejects = [each for each in tree.rejects if is_image_name(each.path) or each.reason == SYMBOLIC_LINK]
    if not entries and not rejects:
        raise DatasetError(
            f"no image was found in {tree.where}: give a folder or an archive with files that end in "
            f"{', '.join(sorted(SUFFIXES))}, a dataset or a release"
        )
    below = _folder_of_split(entries, split, tree.where) if entries and split is not None else ""
    for reject in rejects:
        if reject.path.startswith(below):
            raise unreadable(reject, tree.where)
    entries = [entry for entry in entries if entry.path.startswith(below)]
    if not below:
        return entries, *_as_ingested(entries, tree)
    if _has_labels(tree, below):
        return entries, *_classes([""] * len(entries))
    return entries, *_classes([_first_folder(entry.path[len(below) :]) for entry in entries])


def _as_ingested(entries: Sequence[Entry], tree: Tree) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Label images by folder; where ingesting would ask or leave one out, they have no classes."""
    try:
        layout = read_layout(Folder.of(entry.path for entry in entries), tree.where)
    except DatasetError:
        return _classes([""] * len(entries))
    places = [layout.places[entry.path.rpartition("/")[0]] for entry in entries]
    known = not any(place.reject or place.left_out for place in places) and not _has_labels(tree, layout.root)
    return _classes([(place.class_name or "") if known else "" for place in places])


def _has_labels(tree: Tree, below: str) -> bool:
    others = (entry.path for entry in tree.entries if entry.path.startswith(below))
    return any(is_label_file(path[len(below) :]) for path in others)


def unreadable(reject: Reject, where: str) -> DatasetError:
    """Say which file gives no image, and why."""
    why = f"{reject.reason}, {reject.detail}" if reject.detail else reject.reason
    return DatasetError(
        f"{reject.path} in {where} cannot be read ({why}): repair or remove it, or run `ganflow ingest`, "
        "which leaves such files out"
    )


def _folder_of_split(entries: Sequence[Entry], split: str, where: str) -> str:
    """Return what the paths of a split begin with; single folders around all images are looked into."""
    around = _folder_around(entries)
    for end in (0, *(at for at, each in enumerate(around, start=1) if each == "/")):
        folder = f"{around[:end]}{split}/"
        if any(entry.path.startswith(folder) for entry in entries):
            return folder
    raise InputError(f"{where} has no folder «{split}» with images: name one that it has, or no split to take all")


def _folder_around(entries: Sequence[Entry]) -> str:
    """Return the innermost folder that holds all images, with a slash behind it; nothing where it is the root."""
    # They are sorted, so what the first and the last begin with all do.
    prefix = commonprefix([entries[0].path, entries[-1].path])  # noqa: RUF071  # cut back to whole folders below
    return prefix[: prefix.rfind("/") + 1]


def _classes(folders: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the classes that are named, one for each image; there are none where one has no name."""
    if "" in folders:
        return np.full(len(folders), UNLABELLED, np.int64), ()
    names = in_order(folders)
    index = {name: label for label, name in enumerate(names)}
    return np.array([index[folder] for folder in folders], np.int64), names


def _first_folder(path: str) -> str:
    return path.partition("/")[0] if "/" in path else ""
