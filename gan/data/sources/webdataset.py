"""WebDataset tars as a source: the members that share a key are one sample, an image and its label."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree
from gan.data.pixels.decode import is_image_name
from gan.data.pixels.formats import SUFFIXES
from gan.data.records import OUT_OF_RANGE, UNLABELLED, SplitName
from gan.data.sources.folder import ImageFiles, Item, cut_files
from gan.data.sources.labels.classes import declared_classes, found_classes, refuse_too_many
from gan.data.sources.main_image import Choice, choose
from gan.data.sources.splits import leading_word, split_names
from gan.errors import DatasetError
from gan.text.counted import counted

NO_LABEL = "no label in its sample"
NO_IMAGE = "no image in its sample"
SECOND_IMAGE = "a second image in its sample"
BROKEN_LABEL = "broken label"
_LABEL_KEYS = ("label", "class", "cls", "target", "category")
_MAX_LABEL_BYTES = 2**16
_NEARLY_LABELS = ("label", "labels", "class", "target")  # not read, but a sign of samples
_LISTED = 6


@dataclass
class _Sample:
    images: list[Entry] = field(default_factory=list)
    labels: list[Entry] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)


class _Tar(NamedTuple):
    name: str
    tree: Tree
    split: SplitName | None
    samples: dict[str, _Sample]


class WebDatasetSource:
    """The samples of tars as WebDataset has them, in the order of the tars and of their members' names.

    A sample's label is the text of its `.cls` member, else what its `.json` member has under `label`, `class`, `cls`,
    `target` or `category`. Of several images in a sample one is meant; masks, depths and the like are left out.

    Args:
        trees: one for each tar.
        name: what the dataset is called.
        background: RGB under transparent pixels.
        use_labels: whether labels are read.
        class_names: of labels that are numbers from 0; None takes the labels for the names.

    Raises:
        DatasetError: there is no image, it is not plain which of several is meant, or labels are no classes.
    """

    kind: SourceKind = "webdataset"

    def __init__(
        self,
        trees: Sequence[Tree],
        name: str,
        background: tuple[int, int, int],
        *,
        use_labels: bool = True,
        class_names: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self._background = background
        splits = _splits(trees)
        self.has_split = bool(splits)
        order = sorted(
            zip(trees, _names(trees), strict=True), key=lambda pair: (splits.get(pair[1]) == "test", pair[1])
        )
        tars = [_Tar(tar, tree, splits.get(tar), _samples(tree)) for tree, tar in order]
        choice = choose(([_ending(image) for image in each.images] for each in _all(tars)), name)
        found = [each for tar in tars for each in _items(tar, choice, use_labels)]
        if not any(item.blob for item, _ in found):
            raise DatasetError(
                f"no image was found in the tars of {name}: give tars with members that end in "
                f"{', '.join(sorted(SUFFIXES))}"
            )
        self.class_names, self._items = _labelled(found, name, class_names)
        self.notes: tuple[str, ...] = (
            *(note for tree in trees for note in tree.notes),
            *_left_out(tars, choice),
            *(_unused(tars) if use_labels and not self.class_names else ()),
        )

    def __len__(self) -> int:
        """Return the number of images, readable or not, and of samples without one."""
        return len(self._items)

    def parts(self) -> Sequence[ImageFiles]:
        """Cut the samples into parts."""
        return cut_files(self._items, self._background)


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
    texts = {_key(entry.path) for entry in tree.entries if any(_is(entry, each) for each in _NEARLY_LABELS)}
    known = numbers | objects | texts if one_folder else numbers
    return 2 * sum(key in known for key in images) > len(images)


def _key(path: str) -> str:
    folder, slash, base = path.rpartition("/")
    return folder + slash + base.split(".", 1)[0]


def _ending(entry: Entry) -> str:
    return entry.path.rpartition("/")[2].partition(".")[2].lower()


def _all(tars: Sequence[_Tar]) -> Iterator[_Sample]:
    return (sample for tar in tars for sample in tar.samples.values())


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


def _items(tar: _Tar, choice: Choice, use_labels: bool) -> Iterator[tuple[Item, str | None]]:
    """Yield each record to be, and its label as text: None where it has none."""
    name, tree, split, samples = tar
    rejected = {_key(reject.path) for reject in tree.rejects}
    for key, sample in samples.items():
        if any(_ending(entry) not in choice.companions for entry in sample.images):
            main, *more = sorted(sample.images, key=lambda entry: choice.order(_ending(entry)))
            image = Item(f"{name}/{main.path}", UNLABELLED, split, main.blob)
            try:
                yield image, _read_label(sample.labels) if use_labels else None
            except UnreadableError as error:
                detail = f"{error.reason}, {error.detail}" if error.detail else error.reason
                yield image._replace(blob=None, reason=BROKEN_LABEL, detail=detail), None
            for other in more:
                if _ending(other) not in choice.companions:
                    yield Item(f"{name}/{other.path}", UNLABELLED, split, None, SECOND_IMAGE), None
        elif (rest := [*sample.labels, *sample.images]) and key not in rejected:  # whose image may be what was rejected
            yield Item(f"{name}/{rest[0].path}", UNLABELLED, split, None, NO_IMAGE), None
    for reject in tree.rejects:
        yield Item(f"{name}/{reject.path}", UNLABELLED, split, None, reject.reason, reject.detail), None


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
        else:
            sample.others.append(entry)
    return samples


def _left_out(tars: Sequence[_Tar], choice: Choice) -> list[str]:
    """Say which images are left out because they belong to others."""
    counts = Counter(_ending(entry) for sample in _all(tars) if len(sample.images) > 1 for entry in sample.images)
    left = {ending: count for ending, count in sorted(counts.items()) if ending in choice.companions}
    return [
        counted(
            count,
            f"file that ends in .{ending} is left out: it belongs to another",
            f"files that end in .{ending} are left out: they belong to others",
        )
        for ending, count in left.items()
    ]


def _unused(tars: Sequence[_Tar]) -> list[str]:
    """Say what the samples have that might be meant for labels, where nothing in them is read as one."""
    others = Counter(_ending(entry) for sample in _all(tars) for entry in sample.others)
    said = [f".{ending}" for ending, _ in others.most_common(_LISTED)]
    described = next((member for sample in _all(tars) for member in sample.labels if _is(member, "json")), None)
    if described:
        said.append(f".json with {', '.join(_keys(described)) or 'no keys'}")
    if not said:
        return []
    return [
        f"the images have no labels: {'; '.join(said)} beside them hold none that is read, as a .cls member does or a "
        f".json member under {', '.join(_LABEL_KEYS)}"
    ]


def _keys(member: Entry) -> list[str]:
    try:
        found: Any = json.loads(_text_of(member.blob))
    except (UnreadableError, ValueError, RecursionError):
        return []
    return [str(key)[:40] for key in found][:_LISTED] if isinstance(found, dict) else []


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
    if value is None or isinstance(value, int):
        return None if value is None else str(value)
    if not isinstance(value, str) or value.encode(errors="replace").decode() != value:
        raise UnreadableError("neither text nor a whole number")
    return value


def _labelled(
    found: list[tuple[Item, str | None]], name: str, class_names: Sequence[str] | None
) -> tuple[tuple[str, ...], list[Item]]:
    """Return class names and items with their labels; without one where others have one, an item is a reject."""
    seen = {label for _, label in found if label is not None}
    refuse_too_many(seen, name)
    if not seen:
        return (), [item for item, _ in found]
    declared = None if class_names is None else declared_classes(class_names)
    classes = declared or found_classes(seen, f"a sample of {name}")
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
