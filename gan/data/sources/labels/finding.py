"""The files of labels that lie among images: those that are called so, and those that turn out to be some."""

import re
from collections.abc import Collection, Sequence

from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry
from gan.data.sources.labels.files import LabelFile, is_label_file, parse_labels
from gan.data.sources.labels.joining import Found, in_scope
from gan.data.sources.labels.matching import match_rows
from gan.data.sources.labels.text import text_of
from gan.data.sources.layout.layout import Layout
from gan.data.sources.layout.question import listed
from gan.errors import DatasetError
from gan.text.shown import shown

_TABLES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet")
_SPEAKING = re.compile(r"annot|class|label|metadata|target|test|train|truth|val", re.I)
_FITS = 0.95  # of the rows, or of the images, must be there for a file that is not called labels to be some
_MOST_BYTES = 2**26


def read_labels(path: str, blob: Blob, columns: tuple[str | None, str | None] = (None, None)) -> LabelFile:
    """Read a file of labels.

    Args:
        path: what it is called.
        blob: where it lies.
        columns: those of paths and of labels, where somebody has named them.

    Raises:
        DatasetError: it cannot be read or makes no sense.
    """
    try:
        return parse_labels(path, read_blob(blob), columns)
    except UnreadableError as error:
        raise DatasetError(f"the labels {path} cannot be used ({error.reason}): give another file") from None


def find_labels(
    files: Sequence[Entry], layout: Layout, where: str, columns: tuple[str | None, str | None]
) -> tuple[list[Found], tuple[str, ...]]:
    """Read the files that are called as files of labels are: at the top, in the splits, or in any folder of images.

    Those in deeper folders are taken only if all of them can be used.

    Returns:
        The files, and notes on those that are not used.

    Raises:
        DatasetError: there are several for one folder, or one makes no sense.
    """
    called = [(entry.path[: -len(name)], entry) for entry in files if is_label_file(name := _name(entry.path))]
    tops = above(layout.root)
    first = [(place, entry) for place, entry in called if place in tops]
    splits = _split_folders(layout)
    second = [(place, entry) for place, entry in called if place in splits]
    chosen = first + second
    if len({place for place, _ in chosen}) < len(chosen) or (first and len(chosen) > 1):
        paths = ", ".join(shown(entry.path) for _, entry in chosen)
        raise DatasetError(
            f"{where} has several files of labels ({paths}): name one with --labels, or give `--labels none` to take "
            "subfolders as classes"
        )
    if chosen:
        return [Found(place, read_labels(entry.path, entry.blob, columns), entry.path) for place, entry in chosen], ()
    return _deeper([(place, entry) for place, entry in called if _holds_images(place, layout)], columns)


def find_more(
    files: Sequence[Entry], images: Sequence[str], layout: Layout, columns: tuple[str | None, str | None], name: str
) -> tuple[list[Found], tuple[str, ...]]:
    """Read a file at the top or in a split that is called in another way but has a row for the images there.

    Returns:
        The file, if there is just one; and notes on those that speak of labels and are not used.
    """
    tops = above(layout.root)
    candidates = [entry for entry in files if _place(entry.path) in tops and entry.path.lower().endswith(_TABLES)]
    fitting = [found for entry in candidates if (found := _try(entry, images, layout, columns, name))]
    if len(fitting) == 1:
        return fitting, (f"the labels are those of {shown(fitting[0].path)}",)
    if len(fitting) > 1:
        paths = ", ".join(shown(found.path) for found in fitting)
        raise DatasetError(
            f"several files may hold the labels ({paths}): name one with --labels, or give --labels none"
        )
    return [], unused_notes([entry.path for entry in candidates], "no row of it names an image with its label")


def unused(files: Sequence[Entry], layout: Layout, why: str) -> tuple[str, ...]:
    """Return notes on files at the top or in a split that speak of labels and are not used."""
    tops = {*above(layout.root), *_split_folders(layout)}
    paths = [entry.path for entry in files if _place(entry.path) in tops and entry.path.lower().endswith(_TABLES)]
    return unused_notes(paths, why)


def unused_notes(paths: Sequence[str], why: str) -> tuple[str, ...]:
    """Say of files whose names speak of labels that they are not used."""
    speaking = [path for path in paths if _SPEAKING.search(_name(path))]
    return (f"{listed(speaking)} {'is' if len(speaking) == 1 else 'are'} not used: {why}",) if speaking else ()


def _try(
    entry: Entry, images: Sequence[str], layout: Layout, columns: tuple[str | None, str | None], name: str
) -> Found | None:
    if not 0 < entry.blob.size <= _MOST_BYTES:
        return None
    try:
        file = parse_labels(entry.path, read_blob(entry.blob), columns)
    except (DatasetError, UnreadableError):
        return None
    if not file.labels or not file.class_names or len(file.class_names) == len(file.labels) > 1:
        return None  # each image a class of its own: numbers or captions
    place = _place(entry.path)
    scope = in_scope(entry.path, place, images)
    matched = len(match_rows(file.labels, scope, [place, *above(layout.root)], name))
    # Contests give no labels of what they hold out.
    spoken_of = sum(layout.places[_place(path).rstrip("/")].split != "test" for path in scope)
    enough = matched >= _FITS * max(len(file.labels), spoken_of)
    return Found(place, file, entry.path) if enough else None


def _deeper(
    called: Sequence[tuple[str, Entry]], columns: tuple[str | None, str | None]
) -> tuple[list[Found], tuple[str, ...]]:
    found = []
    for place, entry in called:
        try:
            found.append(Found(place, parse_labels(entry.path, read_blob(entry.blob), columns), entry.path))
        except (DatasetError, UnreadableError) as error:
            return [], (f"{shown(entry.path)} is not used: {error}",)
    if len({each.place for each in found}) < len(found):
        return [], unused_notes([each.path for each in found], "there are several in one folder")
    return found, (f"the labels are those of {listed([each.path for each in found])}",) if found else ()


def annotations(
    files: Sequence[Entry], images: Sequence[str], folder: str, root: str, class_names: Sequence[str]
) -> dict[str, str]:
    """Read the classes of a split's images from a table beside them, as `val_annotations.txt` of Tiny-ImageNet is.

    Args:
        files: what may be such a table.
        images: paths of the images in the folder.
        folder: of the split.
        root: the folder around everything, with a slash behind it or nothing.
        class_names: those that the table may name.

    Returns:
        Image to class; nothing where no table names one for nearly all.
    """
    places = [place for place in above(f"{folder}/") if place.startswith(root) and place != root]
    names = set(class_names)
    for entry in files:
        if _place(entry.path) in places and entry.path.lower().endswith((".txt", ".csv", ".tsv")):
            rows = _rows_with(entry, names)
            matched = match_rows(rows, images, [_place(entry.path), f"{folder}/"], "")
            if images and len(matched) >= _FITS * len(images):
                return {image: rows[row] for row, image in matched.items()}
    return {}


def _rows_with(entry: Entry, names: Collection[str]) -> dict[str, str]:
    """Return the first cell of each row and the one cell that is a class."""
    if not 0 < entry.blob.size <= _MOST_BYTES:
        return {}
    try:
        lines = text_of(entry.path, read_blob(entry.blob)).splitlines()
    except (DatasetError, UnreadableError):
        return {}
    rows = {}
    for line in lines:
        path, *cells = re.split(r"[\t,;]" if re.search(r"[\t,;]", line) else r"\s+", line.strip())
        known = {cell.strip() for cell in cells} & set(names)
        if len(known) == 1:
            rows[path] = known.pop()
    return rows


def above(root: str) -> list[str]:
    """Return the folders around everything, from the top: nothing, `a/`, `a/b/`."""
    return ["", *(root[: at + 1] for at, letter in enumerate(root) if letter == "/")]


def _split_folders(layout: Layout) -> list[str]:
    """Return the folders right below the root that belong to one split each."""
    if not layout.has_split:
        return []
    splits: dict[str, set[str | None]] = {}
    for path, place in layout.places.items():
        if path.startswith(layout.root) and len(path) > len(layout.root) and not place.left_out:
            splits.setdefault(path[len(layout.root) :].partition("/")[0], set()).add(place.split)
    return [f"{layout.root}{name}/" for name, found in splits.items() if len(found) == 1]


def _holds_images(place: str, layout: Layout) -> bool:
    return any(f"{path}/".startswith(place) for path, each in layout.places.items() if not each.left_out)


def _place(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
