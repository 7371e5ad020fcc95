"""Label files of image collections: the bytes of a CSV, TSV, JSON or JSON Lines file to a label for each path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gan.data.sources.labels.classes import is_nothing
from gan.data.sources.labels.rows import MAX_DIGITS, Asked, read_rows
from gan.data.sources.labels.text import encoding_of, shown
from gan.errors import DatasetError

OUTSIDE = "path outside the collection"
CONTRADICTION = "a second, different label"

_KNOWN_NAMES = re.compile(
    r"(\./)?(labels\.(csv|tsv|json|jsonl)|metadata\.(csv|jsonl|parquet)|dataset\.json|annotations\.csv)"
)
_ROOTED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?/")  # /a.png, C:/a.png, https://host/a.png
_WHOLE = re.compile(r"([+-]?[0-9]+)(\.0*)?")
_FRACTION = re.compile(r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class LabelFile:
    """What a label file says.

    Attributes:
        labels: path within the collection, with `/` and without `./`, to an index into `class_names`, or -1 for none.
        class_names: the classes in `labels`; in numeric order where every label is a whole number, else sorted as text.
        rejects: path and reason (`OUTSIDE` or `CONTRADICTION`) of each row that is not in `labels`.
        labelled: False where the file itself says that its collection has no labels (StyleGAN's `{"labels": null}`).
        encoding: what a text that is not Unicode's was taken for by its letters; else nothing.
    """

    labels: Mapping[str, int]
    class_names: tuple[str, ...]
    rejects: tuple[tuple[str, str], ...] = ()
    labelled: bool = True
    encoding: str = ""


def is_label_file(name: str) -> bool:
    """Return whether `name`, a path within a collection, lies at its root and is called as label files are."""
    return _KNOWN_NAMES.fullmatch(name.lower()) is not None


def parse_labels(name: str, data: bytes, columns: Asked = (None, None)) -> LabelFile:
    """Read a label file.

    JSON is an object of path to label, a list of objects, or StyleGAN's `{"labels": [[path, label], ...]}`; JSON Lines
    has one object per line; anything else is a table with commas, semicolons or tabs, which needs no header where it
    has two columns. Columns and keys are found by `FILE_COLUMNS` and `LABEL_COLUMNS`, earlier names going first. A
    table without labels may have a column per class, of which one is 1 in each row.

    Args:
        name: the file's name: messages repeat it, and its suffix chooses between `.json`, `.jsonl` and a table.
        data: the whole file; a text in UTF-8 or UTF-16, or in what it looks like.
        columns: those of paths and of labels, where somebody has named them.

    Raises:
        DatasetError: a row that cannot be understood, or no row at all.
    """
    name = name if name.isprintable() else repr(name)
    rows = read_rows(name, data, columns)
    if rows is None:
        return LabelFile({}, (), labelled=False)
    pairs, rejects = [], []
    first_seen: dict[str, str] = {}
    for where, path_value, label_value in rows:
        written, label = _text(where, "path", path_value), _text(where, "label", label_value).strip()
        first_seen.setdefault(label, where)
        path = _within(where, written)
        if path is None:
            rejects.append((written, OUTSIDE))
        else:
            pairs.append((path, label))
    if not first_seen:
        raise DatasetError(f"{name} has no rows: write one with the path and the label of each image")
    found = _resolve(pairs, {label: _class_of(where, label) for label, where in first_seen.items()}, rejects)
    is_text = not name.lower().endswith(".parquet")
    return replace(found, encoding=encoding_of(data)) if is_text and not data.isascii() else found


def _resolve(pairs: list[tuple[str, str]], classes: dict[str, Any], rejects: list[tuple[str, str]]) -> LabelFile:
    """Keep the first label of each path; `classes` has what each label means: a number, a text, or None for none."""
    if any(isinstance(value, str) for value in classes.values()):
        # Only where every label is a whole number are 01 and 1 the same.
        classes = {label: None if value is None else label for label, value in classes.items()}
    kept: dict[str, Any] = {}
    for path, label in pairs:
        if kept.setdefault(path, classes[label]) != classes[label]:
            rejects.append((path, CONTRADICTION))
    found = sorted(set(kept.values()) - {None})
    index = {None: -1} | {value: index for index, value in enumerate(found)}
    return LabelFile({path: index[value] for path, value in kept.items()}, tuple(map(str, found)), tuple(rejects))


def _text(where: str, what: str, value: object) -> str:
    if isinstance(value, str) and value.isascii() and "\0" not in value:
        return value
    if value is None:
        return ""
    if isinstance(value, bool) and what == "label":
        return str(value)
    if type(value) is int or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    if not isinstance(value, str):
        raise DatasetError(f"{where}: the {what} is neither text nor a whole number: write one of them")
    # JSON can spell what no file can hold: a NUL, and half of a surrogate pair.
    if "\0" in value or value.encode(errors="replace").decode() != value:
        raise DatasetError(f"{where}: the {what} {shown(value)} has impossible characters: correct or drop the row")
    return value


def _within(where: str, written: str) -> str | None:
    """Normalise a path; None where it leads out of the collection."""
    path = written.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts or _ROOTED.match(path):
        return None
    if not path.strip() or not parts:
        raise DatasetError(f"{where}: the path {shown(written)} names no file: write the image's path or drop the row")
    return "/".join(parts)


def _class_of(where: str, label: str) -> int | str | None:
    if whole := _WHOLE.fullmatch(label):
        number = int(whole[1]) if len(whole[1]) <= MAX_DIGITS else None
        if number is None or number < -1:
            raise DatasetError(f"{where}: label out of range, {shown(label)}: count from 0, or write -1 for none")
        return None if number == -1 else number
    if _FRACTION.fullmatch(label):
        raise DatasetError(f"{where}: the label {shown(label)} is no whole number: write that or a class name")
    return None if is_nothing(label) else label
