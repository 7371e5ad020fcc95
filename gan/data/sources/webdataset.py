"""WebDataset tars as a source: the members that share a key are one sample, an image and its label."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree
from gan.data.pixels.decode import is_image_name
from gan.data.pixels.formats import SUFFIXES
from gan.data.records import OUT_OF_RANGE, UNLABELLED, SplitName, cut
from gan.data.sources.folder import ImageFiles, Item
from gan.data.sources.labels.classes import found_classes, refuse_too_many
from gan.data.sources.splits import leading_word, split_names
from gan.errors import DatasetError

NO_LABEL = "no label in its sample"
NO_IMAGE = "no image in its sample"
SECOND_IMAGE = "a second image in its sample"
BROKEN_LABEL = "broken label"
_LABEL_KEYS = ("label", "class", "cls", "target", "category")
_MAX_LABEL_BYTES = 2**16


@dataclass
class _Sample:
    images: list[Entry] = field(default_factory=list)
    labels: list[Entry] = field(default_factory=list)


class WebDatasetSource:
    """The samples of tars as WebDataset has them, in the order of the tars and of their members' names.

    A sample's label is the text of its `.cls` member, else what its `.json` member has under `label`, `class`, `cls`,
    `target` or `category`.

    Args:
        trees: one for each tar.
        name: what the dataset is called.
        background: RGB under transparent pixels.
        use_labels: whether labels are read.

    Raises:
        DatasetError: there is no image, or labels are no classes.
    """

    kind: SourceKind = "webdataset"
    notes: tuple[str, ...] = ()

    def __init__(
        self, trees: Sequence[Tree], name: str, background: tuple[int, int, int], *, use_labels: bool = True
    ) -> None:
        self.name = name
        self._background = background
        splits = _splits(trees)
        self.has_split = bool(splits)
        order = sorted(
            zip(trees, _names(trees), strict=True), key=lambda pair: (splits.get(pair[1]) == "test", pair[1])
        )
        found = [each for tree, tar in order for each in _items(tree, tar, splits.get(tar), use_labels)]
        if not any(item.blob for item, _ in found):
            raise DatasetError(
                f"no image was found in the tars of {name}: give tars with members that end in "
                f"{', '.join(sorted(SUFFIXES))}"
            )
        self.class_names, self._items = _labelled(found, name)

    def __len__(self) -> int:
        """Return the number of images, readable or not, and of samples without one."""
        return len(self._items)

    def parts(self) -> Sequence[ImageFiles]:
        """Cut the samples into parts."""
        sizes = [item.blob.size if item.blob else 0 for item in self._items]
        return [ImageFiles(tuple(self._items[run]), self._background) for run in cut(sizes)]


def is_webdataset(tree: Tree) -> bool:
    """Return whether a tree is a tar of samples, rather than one of class folders or of images alone.

    Images have labels of the same key beside them: numbers or texts in `.cls`, or else `.json` where all lie in one
    folder, for in several the folders are classes.
    """
    if not tree.is_archive or any(entry.blob.crc >= 0 for entry in tree.entries):
        return False
    images = [_key(entry.path) for entry in tree.entries if is_image_name(entry.path)]
    numbers = {_key(entry.path) for entry in tree.entries if _is(entry, "cls")}
    objects = {_key(entry.path) for entry in tree.entries if _is(entry, "json")}
    one_folder = len({key.rpartition("/")[0] for key in images}) == 1
    known = numbers | objects if one_folder else numbers
    return 2 * sum(key in known for key in images) > len(images)


def _key(path: str) -> str:
    folder, slash, base = path.rpartition("/")
    return folder + slash + base.split(".", 1)[0]


def _is(entry: Entry, suffix: str) -> bool:
    return entry.path.lower().endswith(f".{suffix}")


def _names(trees: Sequence[Tree]) -> list[str]:
    """Name each tar as shortly as it can be told from the others."""
    short = [tree.name for tree in trees]
    if len(set(short)) == len(short):
        return short
    places = [os.path.abspath(tree.where) for tree in trees]
    return [os.path.relpath(place, os.path.commonpath(places)) for place in places]


def _splits(trees: Sequence[Tree]) -> dict[str, SplitName]:
    """Return the split of each tar by the word that its name begins with, else by the folder that it lies in."""
    names = [leading_word(tree.name) for tree in trees]
    folders = [("/" + tree.where).rsplit("/", 2)[-2] for tree in trees]
    for words in (names, folders):
        if found := split_names(words):
            return {tar: found[word] for tar, word in zip(_names(trees), words, strict=True)}
    return {}


def _items(tree: Tree, tar: str, split: SplitName | None, use_labels: bool) -> Iterator[tuple[Item, str | None]]:
    """Yield each record to be, and its label as text: None where it has none."""
    rejected = {_key(reject.path) for reject in tree.rejects}
    for key, sample in _samples(tree).items():
        if sample.images:
            image, *others = (Item(f"{tar}/{entry.path}", UNLABELLED, split, entry.blob) for entry in sample.images)
            try:
                yield image, _read_label(sample.labels) if use_labels else None
            except UnreadableError as error:
                detail = f"{error.reason}, {error.detail}" if error.detail else error.reason
                yield image._replace(blob=None, reason=BROKEN_LABEL, detail=detail), None
            for other in others:
                yield other._replace(blob=None, reason=SECOND_IMAGE), None
        elif sample.labels and key not in rejected:  # whose image may be what was rejected
            yield Item(f"{tar}/{sample.labels[0].path}", UNLABELLED, split, None, NO_IMAGE), None
    for reject in tree.rejects:
        yield Item(f"{tar}/{reject.path}", UNLABELLED, split, None, reject.reason, reject.detail), None


def _samples(tree: Tree) -> dict[str, _Sample]:
    samples: dict[str, _Sample] = {}
    for entry in tree.entries:
        sample = samples.setdefault(_key(entry.path), _Sample())
        if is_image_name(entry.path):
            sample.images.append(entry)
        elif _is(entry, "cls"):
            sample.labels.insert(0, entry)
        elif _is(entry, "json"):
            sample.labels.append(entry)
    return samples


def _read_label(members: list[Entry]) -> str | None:
    for member in members:
        text = _text_of(member.blob) if _is(member, "cls") else _label_in(_text_of(member.blob))
        if text is not None:
            return text.strip()
    return None


def _text_of(blob: Blob) -> str:
    try:
        return read_blob(blob, most=_MAX_LABEL_BYTES).decode()
    except UnicodeDecodeError:
        raise UnreadableError("no UTF-8 text") from None


def _label_in(text: str) -> str | None:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("no JSON") from None
    values = [found[key] for key in _LABEL_KEYS if found.get(key) is not None] if isinstance(found, dict) else []
    value = values[0] if values else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or type(value) is int:
        return None if value is None else str(value)
    if not isinstance(value, str) or value.encode(errors="replace").decode() != value:
        raise UnreadableError("neither text nor a whole number")
    return value


def _labelled(found: list[tuple[Item, str | None]], name: str) -> tuple[tuple[str, ...], list[Item]]:
    """Return class names and items with their labels; without one where others have one, an item is a reject."""
    seen = {label for _, label in found if label is not None}
    refuse_too_many(seen, name)
    if not seen:
        return (), [item for item, _ in found]
    classes = found_classes(seen, f"a sample of {name}")
    items = []
    for item, text in found:
        label = classes.index.get(text) if text is not None else UNLABELLED
        if item.blob is None:
            items.append(item)
        elif text is None:
            items.append(item._replace(blob=None, reason=NO_LABEL))
        elif label is None:
            items.append(item._replace(blob=None, reason=OUT_OF_RANGE, detail=text[:80]))
        else:
            items.append(item._replace(label=label))
    return classes.names, items
