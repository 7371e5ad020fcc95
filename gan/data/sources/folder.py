"""A tree of image files as a source: a class per subfolder, a file of labels, or no classes."""

import hashlib
import marshal
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Self

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree
from gan.data.pixels.decode import decode_images
from gan.data.pixels.formats import SUFFIXES
from gan.data.records import UNLABELLED, Reject, SourceImage, SplitName, Tally, cut, spread
from gan.data.sources.census import NOT_READ, Census, Sorted, sort_files
from gan.data.sources.decide import Choice, decide
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
    """A part of image files, as bytes: a thousand named tuples would take thrice the memory, and long to pickle.

    Attributes:
        count: how many files there are.
        packed: what and where they are.
        background: RGB under transparent pixels.
    """

    count: int
    packed: bytes
    background: tuple[int, int, int]

    @classmethod
    def of(cls, items: Sequence[Item], background: tuple[int, int, int]) -> Self:
        """Pack items."""
        rows = [(*item[:3], item.blob and tuple(item.blob), *item[4:]) for item in items]
        return cls(len(rows), marshal.dumps(rows, 2), background)  # version 2, whose bytes depend on the values alone

    @property
    def items(self) -> list[Item]:
        """What was packed."""
        rows = marshal.loads(self.packed)  # noqa: S302 - from our own process
        return [Item(path, label, split, blob and Blob(*blob), *why) for path, label, split, blob, *why in rows]

    def __len__(self) -> int:
        """Return the number of files."""
        return self.count

    def tally(self) -> Tally:
        """Count images and rejects without a look at any file."""
        images: Counter[tuple[SplitName | None, int]] = Counter()
        rejects: Counter[str] = Counter()
        for item in self.items:
            if item.blob is None:
                rejects[item.reason] += 1
            else:
                images[item.split, item.label] += 1
        return images, rejects

    def identity(self) -> str:
        """Return the hash of every file's name, label, place, size and age."""
        return hashlib.sha256(self.packed + bytes(self.background)).hexdigest()

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


def cut_files(items: Iterable[Item], background: tuple[int, int, int]) -> list[ImageFiles]:
    """Cut image files into parts; no more than those of one part are held at a time."""
    waiting: list[Item] = []

    def sizes() -> Iterator[int]:
        for item in items:
            waiting.append(item)
            yield item.blob.size if item.blob else 0

    parts = []
    for run in cut(sizes()):
        count = run.stop - run.start
        parts.append(ImageFiles.of(waiting[:count], background))
        del waiting[:count]
    return parts


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
        self._root = found.root
        absent = (Choice(Entry(path, ""), reject=reason) for path, reason in found.absent)
        refused = (Choice(Entry(each.path, ""), reject=each.reason, detail=each.detail) for each in files.rejects)
        self._groups = _grouped(chain(found.choices, absent, refused))

    def __len__(self) -> int:
        """Return the number of files, readable or not, and of labels without a file."""
        return sum(map(len, self._groups.values()))

    def parts(self) -> Sequence[ImageFiles]:
        """Cut the files into parts; size and age of each are looked at."""
        return cut_files(map(self._item, chain.from_iterable(self._groups.values())), self._background)

    def tally(self) -> Tally:
        """Count images and rejects without a look at any file."""
        images: Counter[tuple[SplitName | None, int]] = Counter()
        rejects: Counter[str] = Counter()
        for choice in chain.from_iterable(self._groups.values()):
            if choice.reject:
                rejects[choice.reject] += 1
            else:
                images[choice.split, choice.label] += 1
        return images, rejects

    def some(self, most: int, label: int | None = None) -> ImageFiles:
        """Return images from all over the source, or of one class: `most` at most."""
        groups = [group for (_, of), group in self._groups.items() if label in {None, of}]
        found = [choice for group in groups for choice in group if not choice.reject]
        return ImageFiles.of([self._item(choice) for choice in spread(found, most)], self._background)

    def _item(self, choice: Choice) -> Item:
        path = choice.entry.path.removeprefix(self._root)
        if choice.reject:
            return Item(path, UNLABELLED, choice.split, None, choice.reject, choice.detail)
        return Item(path, choice.label, choice.split, choice.entry.blob)


def _grouped(choices: Iterable[Choice]) -> dict[tuple[bool, int], list[Choice]]:
    """Put files in the order of splits and labels, else as they come; rejects are of no class."""
    groups: defaultdict[tuple[bool, int], list[Choice]] = defaultdict(list)
    for choice in choices:
        groups[choice.split == "test", UNLABELLED if choice.reject else choice.label].append(choice)
    return dict(sorted(groups.items()))


def _companions(files: Sorted, left_out: int) -> dict[str, int]:
    return {kind: count for kind, count in (*files.companions.items(), (NOT_READ, left_out)) if count}
