"""What each file of a collection of images becomes: an image with split and class, a reject, or left out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gan.data.files.tree import Entry
from gan.data.pixels.decode import is_image_name
from gan.data.records import UNLABELLED, SplitName
from gan.data.sources.census import Sorted
from gan.data.sources.labels.files import LabelFile
from gan.data.sources.labels.finding import above, annotations, find_labels, find_more, unused
from gan.data.sources.labels.joining import Found, Rows, join
from gan.data.sources.layout.asked import NEITHER, NO_CLASS, NO_SPLIT, asked_class, asked_splits
from gan.data.sources.layout.folder import Folder
from gan.data.sources.layout.layout import BESIDE_CLASSES, Layout, Place
from gan.data.sources.layout.names import in_order
from gan.data.sources.layout.read import read_layout
from gan.data.sources.spec import NO_LABELS, Asked, path_rule
from gan.errors import DatasetError
from gan.text.counted import counted
from gan.text.shown import shown

NO_ROW = "no row in the file of labels"
_UNLABELLED_TEST = "is held out by the source, but nothing says what it shows"


class Choice(NamedTuple):
    """What becomes of one image file: its label and split, or the reason why it cannot be used."""

    entry: Entry
    label: int = UNLABELLED
    split: SplitName | None = None
    reject: str = ""
    left_out: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Decided:
    """What becomes of a collection.

    Attributes:
        choices: one for each image file that is not left out.
        class_names: by label.
        has_split: whether the source says what is held out.
        absent: path and reason of each row of a file of labels that names nothing.
        left_out: how many images are none of the dataset.
        notes: what a person should know.
        root: the folder around everything, with a slash behind it or nothing.
    """

    choices: tuple[Choice, ...]
    class_names: tuple[str, ...]
    has_split: bool
    absent: tuple[tuple[str, str], ...]
    left_out: int
    notes: tuple[str, ...]
    root: str


class _Reading(NamedTuple):
    """Splits and classes of the images by whoever says them: a person, files of labels, or folders."""

    layout: Layout
    splits: Mapping[str, SplitName] | None
    rows: Rows | None
    classes: Mapping[str, str]
    notes: tuple[str, ...]


def decide(
    files: Sorted, where: str, name: str, asked: Asked, labels: LabelFile | None, *, use_labels: bool
) -> Decided:
    """Decide about every image.

    Args:
        files: the files of the source, sorted.
        where: the source, for messages.
        name: what it is called.
        asked: what a person says of it.
        labels: a file of labels that was given.
        use_labels: whether those that lie among the images are looked for.

    Raises:
        DatasetError: two readings are plausible, or a file of labels makes no sense.
    """
    reading = _read(files, where, name, asked, labels, use_labels)
    names = _class_names(files.images, asked, reading)
    choices = list(_choices(files.images, asked, reading, names))
    if reading.rows and reading.rows.labelled:
        choices = _without_unlabelled_test(choices)
    kept = tuple(choice for choice in choices if not choice.left_out)
    has_split = {"train", "test"} <= {choice.split for choice in kept if not choice.reject}
    if not has_split:
        kept = tuple(choice._replace(split=None) for choice in kept)
    reasons = Counter(choice.left_out for choice in choices if choice.left_out)
    notes = [
        counted(count, f"image is left out: it {reason}", f"images are left out, each {reason}")
        for reason, count in reasons.items()
    ]
    absent = reading.rows.rejects if reading.rows else ()
    return Decided(
        kept, names, has_split, absent, reasons.total(), (*reading.notes, *map(shown, notes)), reading.layout.root
    )


def _read(files: Sorted, where: str, name: str, asked: Asked, labels: LabelFile | None, use_labels: bool) -> _Reading:
    # What cannot be read is part of the picture, too: a class whose images are links is a class.
    paths = [entry.path for entry in files.images]
    paths += [each.path for each in files.rejects if "/" in each.path and is_image_name(each.path)]
    splits = asked_splits(paths, asked, where)
    if splits is not None:
        paths = list(splits)
    columns = (asked.path_column, asked.label_column)
    top = Folder.of(paths)
    if asked.classes_from and labels is None:
        layout = read_layout(top, where, classes=False, asked_depth=_depth(asked.classes_from), splits=splits)
        return _Reading(
            layout, splits, None, {}, unused(files.others, layout, "--classes-from says what the classes are")
        )
    layout = read_layout(top, where, classes=False, splits=splits)
    notes: tuple[str, ...] = ()
    found = [Found("", labels, "")] if labels else []
    if not found and use_labels:
        found, notes = find_labels(files.others, layout, where, columns)
    if not found:
        layout = read_layout(top, where, splits=splits)
        if use_labels and not layout.class_names:
            found, more = find_more(files.others, paths, layout, columns, name)
            notes += more
    if found:
        rows = join(found, [entry.path for entry in files.images], above(layout.root), name)
        notes += tuple(
            f"{shown(each.path) or 'the file of labels'} is read as {each.file.encoding}, which its letters look like: "
            "save it as UTF-8 if class names come out wrong"
            for each in found
            if each.file.encoding
        )
        return _Reading(layout, splits, rows, {}, notes)
    if asked.label_column or asked.path_column:
        raise DatasetError(f"no file of labels was found in {where} whose columns those are: name it with --labels")
    classes = _annotated(files, layout) if use_labels else {}
    if use_labels and layout.class_names and not classes:
        notes += unused(files.others, layout, "the folders are the classes")
    return _Reading(layout, splits, None, classes, (*layout.notes, *notes))


def _depth(rule: str) -> int:
    found = None if rule == NO_LABELS else path_rule(rule, "--classes-from")
    return found if isinstance(found, int) else 0


def _annotated(files: Sorted, layout: Layout) -> dict[str, str]:
    """Return the classes of images in splits without class folders, from tables beside them."""
    found: dict[str, str] = {}
    for folder in layout.flat:
        images = [each.path for each in files.images if each.path.startswith(f"{folder}/")]
        found |= annotations(files.others, images, folder, layout.root, layout.class_names)
    return found


def _class_names(images: Sequence[Entry], asked: Asked, reading: _Reading) -> tuple[str, ...]:
    if reading.rows:
        return reading.rows.class_names
    if not asked.classes_from:
        return reading.layout.class_names
    found = (asked_class(entry.path, asked.classes_from) for entry in images if _is_in(entry.path, reading))
    return in_order(name for name in found if name)


def _is_in(path: str, reading: _Reading) -> bool:
    if reading.splits is not None:
        return path in reading.splits
    return not reading.layout.places[path.rpartition("/")[0]].left_out


def _choices(images: Sequence[Entry], asked: Asked, reading: _Reading, names: Sequence[str]) -> Iterator[Choice]:
    index = {name: label for label, name in enumerate(names)}
    for entry in images:
        if reading.splits is not None and entry.path not in reading.splits:
            yield Choice(entry, reject=NO_SPLIT) if asked.split_from else Choice(entry, left_out=NEITHER)
            continue
        place = reading.layout.places[entry.path.rpartition("/")[0]]
        split = reading.splits[entry.path] if reading.splits is not None else place.split
        if reading.rows is not None:
            yield _by_row(entry, place, split, reading.rows)
        elif asked.classes_from:
            name = asked_class(entry.path, asked.classes_from)
            missing = NO_CLASS if name is None and asked.classes_from != NO_LABELS else ""
            outside = place.left_out if reading.splits is None else ""
            yield Choice(entry, index[name] if name and not outside else UNLABELLED, split, missing, outside)
        elif name := reading.classes.get(entry.path):
            yield Choice(entry, index[name], split)
        else:
            label = index[place.class_name] if place.class_name is not None else UNLABELLED
            yield Choice(entry, label, split, place.reject, place.left_out)


def _by_row(entry: Entry, place: Place, split: SplitName | None, rows: Rows) -> Choice:
    label = rows.labels.get(entry.path)
    if place.left_out or (place.reject and place.reject != BESIDE_CLASSES):
        return Choice(entry, split=split, reject=place.reject, left_out=place.left_out)
    if label is None and rows.labelled:
        return Choice(entry, split=split, reject=NO_ROW)
    return Choice(entry, UNLABELLED if label is None else label, split)


def _without_unlabelled_test(choices: list[Choice]) -> list[Choice]:
    """Leave a test split out of which no image has a row: contests keep those for themselves."""
    test = [choice for choice in choices if choice.split == "test" and not choice.left_out]
    train = [choice for choice in choices if choice.split == "train" and not choice.reject and not choice.left_out]
    if not train or not test or any(choice.reject != NO_ROW for choice in test):
        return choices
    return [
        choice._replace(reject="", left_out=_UNLABELLED_TEST)
        if choice.split == "test" and not choice.left_out
        else choice
        for choice in choices
    ]
