"""The rows of a label file: a CSV, TSV, JSON or JSON Lines text to (where, path, label) as they are written there."""

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from gan.data.pixels.decode import is_image_name
from gan.data.sources.labels.one_hot import class_of_vector, find_one_hot, one_hot_rows
from gan.data.sources.labels.text import shown, text_of
from gan.errors import DatasetError

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_path", "img", "image_id", "id", "name")
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "category", "target", "y")
MAX_DIGITS = 18  # an int64; Python itself refuses more than 4300

Asked = tuple[str | None, str | None]  # columns of paths and of labels
LabelRow = tuple[str, object, object]  # the file and line, for messages; the path and the label as they were found


class _Object(tuple[tuple[str, Any], ...]):
    """A JSON object as its pairs: a dict would hide a path that is there twice."""

    __slots__ = ()


def read_rows(name: str, data: bytes, columns: Asked = (None, None)) -> Iterable[LabelRow] | None:
    """Read the rows of a label file, or None where it says that there are no labels.

    Args:
        name: the file's name: messages repeat it, and its suffix chooses between `.json`, `.jsonl`, `.parquet` and a
            table.
        data: the whole file; a text in UTF-8 or UTF-16, or in what it looks like.
        columns: those of paths and of labels, where somebody has named them.

    Raises:
        DatasetError: a row that cannot be understood; while the rows are iterated, too.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".parquet":
        from gan.data.sources.labels.parquet_rows import parquet_cells  # pyarrow loads for a while

        return _rows_of(parquet_cells(name, data), columns)
    read = {".json": _json_rows, ".jsonl": _json_line_rows}.get(suffix, _table_rows)
    return read(name, text_of(name, data), columns)


def _find_columns(where: str, columns: Sequence[str], asked: Asked, cells: Sequence[object] = ()) -> tuple[int, int]:
    """Find the columns of paths and of labels; one of paths whose first cell names an image goes before others."""
    names = [column.strip().lower() for column in columns]
    found = []
    for what, wanted, name in (("path", FILE_COLUMNS, asked[0]), ("label", LABEL_COLUMNS, asked[1])):
        if name is not None and name.strip().lower() not in names:
            raise DatasetError(
                f"{where}: no column {shown(name)} in the columns {shown(', '.join(columns))}: correct it"
            )
        there = [column for column in wanted if column in names] if name is None else [name.strip().lower()]
        if what == "path" and cells:
            there.sort(key=lambda column: not _names_image(cells[names.index(column)]))
        column = next(iter(there), None)
        if column is None:
            listed = shown(", ".join(columns))
            raise DatasetError(f"{where}: no {what} in the columns {listed}: name it one of {', '.join(wanted)}")
        if names.count(column) > 1:
            raise DatasetError(f"{where}: more than one column {column!r}: rename or drop the others")
        found.append(names.index(column))
    return found[0], found[1]


def _names_image(cell: object) -> bool:
    return isinstance(cell, str) and is_image_name(cell.strip())


def _table_rows(name: str, text: str, asked: Asked) -> Iterator[LabelRow]:
    return _rows_of(_cells(name, text, asked), asked)


def _rows_of(table: Iterable[tuple[str, Sequence[Any]]], asked: Asked) -> Iterator[LabelRow]:
    """Turn the rows of a table, each with where it stands, into paths and labels; the first may be a header."""
    rows = iter(table)
    head = next(rows, None)
    first = next(rows, None) if head else None
    if head is None:
        return
    (where, columns), path, label = head, 0, 1
    rest = chain([first], rows) if first else rows
    if asked == (None, None) and len(columns) == 2 and _names_image(columns[0]):
        yield where, columns[path], columns[label]
    elif one_hot := find_one_hot(columns, first[1] if first else (), asked, FILE_COLUMNS, LABEL_COLUMNS):
        yield from one_hot_rows(columns, rest, *one_hot)
    else:
        path, label = _find_columns(where, columns, asked, first[1] if first else ())
    for where, cells in rest:
        yield where, cells[path], cells[label]


def _cells(name: str, text: str, asked: Asked) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a table that is text, without blank ones."""
    known = {column.lower() for column in asked if column}
    delimiter = max(",;\t", key=lambda candidate: _fit(text, candidate, known))
    if _fit(text, delimiter, known)[1] < 2:  # columns, so none of these separates any
        delimiter = max(delimiter, " ", key=lambda candidate: _fit(text, candidate, known))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    width = line = 0
    try:
        for cells in reader:
            where, line = f"{name}, line {line + 1}", reader.line_num
            if not "".join(cells).strip():
                continue
            if len(cells) != (width or len(cells)):
                raise DatasetError(f"{where}: {len(cells)} cells, not {width}: quote cells that hold {delimiter!r}")
            width = len(cells)
            yield where, cells
    except csv.Error as error:
        raise DatasetError(f"{name}, line {line + 1}: {error}: correct the quotes of this row") from None


def _fit(text: str, delimiter: str, asked: Collection[str]) -> tuple[int, int]:
    """Return how much the first row is one of ours when it is split by `delimiter`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        cells = next(cells for cells in reader if any(map(str.strip, cells)))
    except (csv.Error, StopIteration):
        return 0, 0
    known = (*FILE_COLUMNS, *LABEL_COLUMNS, *asked)
    return sum(cell.strip().lower() in known or is_image_name(cell.strip()) for cell in cells), len(cells)


def _json_rows(name: str, text: str, asked: Asked) -> Iterable[LabelRow] | None:
    """Return the rows of a JSON document; None where it says that there are no labels."""
    document = _parse_json(name, 1, text)
    if type(document) is list:
        return _object_rows(((f"{name}, entry {number}", entry) for number, entry in enumerate(document, 1)), asked)
    if not isinstance(document, _Object):
        raise DatasetError(f"{name}, line 1: neither an object nor a list: write an object of path to label")
    if document == (("labels", None),):
        return None
    for key, value in document:
        if key == "labels" and type(value) is list:
            return _stylegan_rows(name, value)
    return ((f"{name}, entry {number}", *pair) for number, pair in enumerate(document, 1))


def _stylegan_rows(name: str, entries: list[Any]) -> Iterator[LabelRow]:
    for number, entry in enumerate(entries, 1):
        if type(entry) is not list or len(entry) != 2:
            raise DatasetError(f"{name}, entry {number} of labels: not a pair: write [path, label]")
        yield f"{name}, entry {number} of labels", entry[0], class_of_vector(entry[1])


def _json_line_rows(name: str, text: str, asked: Asked) -> Iterator[LabelRow]:
    # Not splitlines: a JSON string may hold the other line separators of Unicode.
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _object_rows(((f"{name}, line {number}", _parse_json(name, number, line)) for number, line in lines), asked)


def _object_rows(entries: Iterable[tuple[str, object]], asked: Asked) -> Iterator[LabelRow]:
    columns: list[str] = []
    path = label = 0
    for where, entry in entries:
        if not isinstance(entry, _Object):
            raise DatasetError(f"{where}: not an object: write one with the path and the label of an image")
        keys = [key for key, _ in entry]
        if not keys or keys != columns:
            path, label = _find_columns(where, keys, asked, [value for _, value in entry])
            columns = keys
        yield where, entry[path][1], entry[label][1]


def _parse_json(name: str, line: int, text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        # JSON Lines under the name of JSON is "Extra data".
        where = f"{name}, line {line + error.lineno - 1}"
        raise DatasetError(f"{where}: no JSON ({error.msg}): correct it, or call JSON Lines .jsonl") from None
    except RecursionError:
        raise DatasetError(f"{name}, line {line}: too deeply nested: write an object of path to label") from None


def _short_int(digits: str) -> int | str:
    # Longer numbers stay text, which is then out of range; int() would raise.
    return int(digits) if len(digits) <= MAX_DIGITS else digits


_DECODER = json.JSONDecoder(object_pairs_hook=_Object, parse_int=_short_int)
