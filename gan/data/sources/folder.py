"""A tree of image files as a source: a class per subfolder, a file of labels, or no classes."""

import hashlib
import marshal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Tree
from gan.data.pixels.decode import decode_images
from gan.data.pixels.formats import SUFFIXES
from gan.data.records import UNLABELLED, Reject, SourceImage, SplitName, cut
from gan.data.sources.census import NOT_READ, Census, Sorted, sort_files
from gan.data.sources.decide import Decided, decide
from gan.data.sources.foreign import refuse_unread
from gan.data.sources.labels.files import LabelFile
from gan.data.sources.spec import NOTHING_ASKED, Asked
from gan.errors import DatasetError


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
        labels: the file of labels; without it well-known ones in the tree are taken, then subfolders are classes.
        use_labels: whether files of labels in the tree are taken.
        asked: what a person says of splits and classes.

    Attributes:
        census: what the files of the tree are.
        asked: what a person has said of how they are to be read.

    Raises:
        DatasetError: there is no image, two readings of the folders are plausible, or a file of labels makes no sense.
    """

    kind: SourceKind = "folder"

    def __init__(
        self,
        tree: Tree,
        background: tuple[int, int, int],
        labels: LabelFile | None = None,
        *,
        use_labels: bool = True,
        asked: Asked = NOTHING_ASKED,
    ) -> None:
        files = sort_files(tree, asked.exclude)
        if not files.images:
            refuse_unread(tree)
            raise DatasetError(
                f"no image was found in {tree.where}: give a folder or an archive with one subfolder per class, "
                f"holding files that end in {', '.join(sorted(SUFFIXES))}"
            )
        self.name = tree.name
        self.asked = asked.given()
        self._background = background
        found = decide(files, tree.where, tree.name, asked, labels, use_labels=use_labels)
        self.has_split, self.class_names = found.has_split, found.class_names
        empty = tree.empty_folders if found.class_names and not found.root else ()
        self.notes = (*tree.notes, *found.notes, *(f"the class folder {folder} holds no image" for folder in empty))
        self.census = Census(tree.files, _companions(files, found.left_out), len(found.absent))
        self._items = sorted(_items(files, found), key=lambda item: (item.split == "test", item.label))

    def __len__(self) -> int:
        """Return the number of files, readable or not, and of labels without a file."""
        return len(self._items)

    def parts(self) -> Sequence[ImageFiles]:
        """Cut the files into parts."""
        sizes = [item.blob.size if item.blob else 0 for item in self._items]
        return [ImageFiles(tuple(self._items[run]), self._background) for run in cut(sizes)]


def _items(files: Sorted, found: Decided) -> Iterator[Item]:
    """Yield the records to be, images by their sorted paths."""
    for entry, label, split, reject, _ in found.choices:
        path = entry.path.removeprefix(found.root)
        yield Item(path, UNLABELLED, split, None, reject) if reject else Item(path, label, split, entry.blob)
    for path, reason in found.absent:
        yield Item(path, UNLABELLED, None, None, reason)
    for each in files.rejects:
        yield Item(each.path.removeprefix(found.root), UNLABELLED, None, None, each.reason, each.detail)


def _companions(files: Sorted, left_out: int) -> dict[str, int]:
    return {kind: count for kind, count in (*files.companions.items(), (NOT_READ, left_out)) if count}
