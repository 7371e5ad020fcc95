"""A tree of image files as a source: a class per subfolder, a file of labels, or no classes."""

import hashlib
import marshal
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, NamedTuple

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree
from gan.data.pixels.decode import SUFFIXES, decode_images, is_image_name
from gan.data.records import UNLABELLED, Reject, SourceImage, SplitName, cut
from gan.data.sources.labels.files import LabelFile, is_label_file, parse_labels
from gan.data.sources.splits import split_names
from gan.errors import DatasetError

_BESIDE_SPLITS = "lies beside the folders of the splits"


class Item(NamedTuple):
    """One record to be: an image file with its label, or the reason why it is none."""

    path: str
    label: int
    split: SplitName | None
    blob: Blob | None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class ImageFiles:
    """A part of image files."""

    items: tuple[Item, ...]
    background: tuple[int, int, int]

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.items)

    def identity(self) -> str:
        """Return the hash of every file's name, label, place, size and age."""
        return hashlib.sha256(self._packed()).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as one value: a thousand named tuples one by one would take as long as thirty images."""
        return _unpacked, (self._packed(),)

    def _packed(self) -> bytes:
        rows = [(*item[:3], item.blob and tuple(item.blob), *item[4:]) for item in self.items]
        return marshal.dumps((rows, self.background), 2)  # version 2, whose bytes depend on the values alone

    def read(self) -> Iterator[SourceImage | Reject]:
        """Decode one file at a time; of several images in one the further ones are called after it, `scan.dcm/1`."""
        for item in self.items:
            if item.blob is None:
                yield Reject(item.path, item.reason, item.detail)
                continue
            done = 0
            try:
                for pixels in decode_images(read_blob(item.blob), self.background):
                    yield SourceImage(f"{item.path}/{done}" if done else item.path, item.label, pixels, item.split)
                    done += 1
            except UnreadableError as error:
                yield Reject(f"{item.path}/{done}" if done else item.path, error.reason, error.detail)


def _unpacked(packed: bytes) -> ImageFiles:
    rows, background = marshal.loads(packed)  # noqa: S302 - from our own process
    items = tuple(Item(path, label, split, blob and Blob(*blob), *why) for path, label, split, blob, *why in rows)
    return ImageFiles(items, background)


class FolderSource:
    """The image files of a tree, by split, then by class, then by path.

    Args:
        tree: the files.
        background: RGB under transparent pixels.
        labels: the file of labels, its paths relative to the root of the tree; without it a well-known one in the tree
            is taken, then subfolders are classes.
        use_labels: whether a file of labels in the tree is taken.
    """

    kind: SourceKind = "folder"

    def __init__(
        self,
        tree: Tree,
        background: tuple[int, int, int],
        labels: LabelFile | None = None,
        *,
        use_labels: bool = True,
    ) -> None:
        tree = _without_wrapper(tree)
        images: list[Entry] = []
        others: list[Entry] = []
        for entry in tree.entries:
            (images if is_image_name(entry.path) else others).append(entry)
        if not images:
            raise DatasetError(
                f"no image was found in {tree.where}: give a folder or an archive with one subfolder per class, "
                f"holding files that end in {', '.join(sorted(SUFFIXES))}"
            )
        self.name = tree.name
        self._background = background
        splits = split_names({entry.path.split("/", 1)[0] for entry in images if "/" in entry.path} or {""})
        self.has_split = splits is not None
        if labels is None and use_labels:
            labels = _find_labels(others, list(splits) if splits else [], tree.where)
        if labels is not None:
            self.class_names, items = _by_label_file(images, labels, splits or {})
            self.notes: tuple[str, ...] = tree.notes
        else:
            self.class_names, items = _by_folder(images, splits or {})
            empty = tree.empty_folders if self.class_names else ()
            self.notes = (*tree.notes, *(f"the class folder {folder} holds no image" for folder in empty))
        items += [Item(each.path, UNLABELLED, None, None, each.reason, each.detail) for each in tree.rejects]
        # The paths are in order already, and sorting keeps what is equal as it is.
        items.sort(key=attrgetter("label"))
        self._items = sorted(items, key=lambda item: item.split == "test")

    def __len__(self) -> int:
        """Return the number of files, readable or not, and of labels without a file."""
        return len(self._items)

    def parts(self) -> Sequence[ImageFiles]:
        """Cut the files into parts."""
        sizes = [item.blob.size if item.blob else 0 for item in self._items]
        return [ImageFiles(tuple(self._items[run]), self._background) for run in cut(sizes)]


def _without_wrapper(tree: Tree) -> Tree:
    """Leave out single folders that all images of an archive, or all classes, lie in."""
    images = [entry.path for entry in tree.entries if is_image_name(entry.path)]
    tops = {path.split("/", 1)[0] for path in images}
    if len(tops) != 1 or any("/" not in path for path in images):
        return tree
    (top,) = tops
    if not tree.is_archive and not all(path.count("/") > 1 for path in images):
        return tree  # a folder with a single class
    inner = tuple(Entry(entry.path.removeprefix(f"{top}/"), entry.blob) for entry in tree.entries)
    return _without_wrapper(replace(tree, entries=inner, empty_folders=()))


def _find_labels(files: Sequence[Entry], splits: Sequence[str], where: str) -> LabelFile | None:
    """Read the well-known file of labels at the root, or those of the splits."""
    found = [
        (place, entry)
        for place in ["", *(f"{split}/" for split in splits)]
        for entry in files
        if entry.path.startswith(place) and is_label_file(entry.path[len(place) :])
    ]
    if len({place for place, _ in found}) < len(found) or (len(found) > 1 and found[0][0] == ""):
        raise DatasetError(
            f"{where} has several files of labels ({', '.join(entry.path for _, entry in found)}): "
            "name one with --labels, or give `--labels none` to take subfolders as classes"
        )
    return _joined([(place, read_labels(entry.path, entry.blob)) for place, entry in found]) if found else None


def read_labels(path: str, blob: Blob) -> LabelFile:
    """Read a file of labels.

    Raises:
        DatasetError: it cannot be read or makes no sense.
    """
    try:
        return parse_labels(path, read_blob(blob))
    except UnreadableError as error:
        raise DatasetError(f"the labels {path} cannot be used ({error.reason}): give another file") from None


def _joined(files: list[tuple[str, LabelFile]]) -> LabelFile:
    """Put the files of several splits together, their paths made relative to the root."""
    if len(files) == 1 and files[0][0] == "":
        return files[0][1]
    if not any(file.labelled for _, file in files):
        return files[0][1]
    names = sorted({name for _, file in files for name in file.class_names})
    if all(re.fullmatch("-?[0-9]+", name) for name in names):
        names.sort(key=int)
    index = {name: label for label, name in enumerate(names)} | {"": UNLABELLED}
    labels = {
        place + path: index[file.class_names[label] if label >= 0 else ""]
        for place, file in files
        for path, label in file.labels.items()
    }
    rejects = tuple((place + path, reason) for place, file in files for path, reason in file.rejects)
    return LabelFile(labels, tuple(names), rejects)


def _by_label_file(
    images: list[Entry], file: LabelFile, splits: dict[str, SplitName]
) -> tuple[tuple[str, ...], list[Item]]:
    items = []
    listed = dict(file.labels)
    for entry in images:
        label = listed.pop(entry.path, None)
        split = _split(entry.path, splits)
        if splits and split is None:
            items.append(Item(entry.path, UNLABELLED, None, None, _BESIDE_SPLITS))
        elif not file.labelled:  # StyleGAN's way to say that there are no classes
            items.append(Item(entry.path, UNLABELLED, split, entry.blob))
        elif label is None:
            items.append(Item(entry.path, UNLABELLED, split, None, "no row in the file of labels"))
        else:
            items.append(Item(entry.path, label, split, entry.blob))
    missing = [(path, "named in the file of labels but not there") for path in listed]
    items += [Item(path, UNLABELLED, None, None, reason) for path, reason in [*missing, *file.rejects]]
    return file.class_names, items


def _by_folder(images: list[Entry], splits: dict[str, SplitName]) -> tuple[tuple[str, ...], list[Item]]:
    items = []
    folders: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in images:
        *above, _ = entry.path.split("/")
        if splits and not above:
            items.append(Item(entry.path, UNLABELLED, None, None, _BESIDE_SPLITS))
            continue
        below = above[1:] if splits else above
        folders[below[0] if below else ""].append(entry)
    loose = folders.pop("", [])
    outside = "lies beside the class folders, so has no class" if folders else ""
    items += [
        Item(each.path, UNLABELLED, _split(each.path, splits), None if outside else each.blob, outside)
        for each in loose
    ]
    names = tuple(sorted(folders))
    for label, name in enumerate(names):
        items += [Item(each.path, label, _split(each.path, splits), each.blob) for each in folders[name]]
    return names, items


def _split(path: str, splits: dict[str, SplitName]) -> SplitName | None:
    return splits.get(path.split("/", 1)[0])
