"""The rows of a label file: a CSV, TSV, JSON or JSON Lines text to (where, path, label) as they are written there."""

import csv
import io
import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from gan.data.pixels.decode import is_image_name
from gan.errors import DatasetError

FILE_COLUMNS = ("file_name", "filename", "file", "path", "image", "image_path", "img", "image_id", "id", "name")
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "category", "target", "y")
MAX_DIGITS = 18  # an int64; Python itself refuses more than 4300

LabelRow = tuple[str, object, object]  # the file and line, for messages; the path and the label as they were found


class _Object(tuple[tuple[str, Any], ...]):
    """A JSON object as its pairs: a dict would hide a path that is there twice."""

    __slots__ = ()


def read_rows(name: str, data: bytes) -> Iterable[LabelRow] | None:
    """Read the rows of a label file, or None where it says that there are no labels.

    Args:
        name: the file's name: messages repeat it, and its suffix chooses between `.json`, `.jsonl` and a table.
        data: the whole file, in UTF-8.

    Raises:
        DatasetError: a row that cannot be understood; while the rows are iterated, too.
    """
    read = {".json": _json_rows, ".jsonl": _json_line_rows}.get(PurePosixPath(name).suffix.lower(), _table_rows)
    return read(name, _decode(name, data))


def shown(text: str) -> str:
    """Return a text of a file as messages show it."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _decode(name: str, data: bytes) -> str:
    data = data.removeprefix(BOM_UTF8)
    # UTF-16 without its mark can be valid UTF-8, full of NULs.
    bad = data.find(b"\0")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        bad = error.start
    if bad >= 0:
        line = data.count(b"\n", 0, bad) + 1
        raise DatasetError(f"{name}, line {line}: this is no UTF-8 text: save the file as UTF-8")
    if not text.strip():
        raise DatasetError(f"{name} is empty: write a row with the path and the label of each image")
    return text


def _find_columns(where: str, columns: Sequence[str]) -> tuple[int, int]:
    names = [column.strip().lower() for column in columns]
    found = []
    for what, wanted in (("path", FILE_COLUMNS), ("label", LABEL_COLUMNS)):
        column = next((column for column in wanted if column in names), None)
        if column is None:
            listed = shown(", ".join(columns))
            raise DatasetError(f"{where}: no {what} in the columns {listed}: name it one of {', '.join(wanted)}")
        if names.count(column) > 1:
            raise DatasetError(f"{where}: more than one column {column!r}: rename or drop the others")
        found.append(names.index(column))
    return found[0], found[1]


def _table_rows(name: str, text: str) -> Iterator[LabelRow]:
    delimiter = max(",;\t", key=lambda candidate: _fit(text, candidate))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    path, label, width, line = 0, 1, 0, 0
    try:
        for cells in reader:
            where, line = f"{name}, line {line + 1}", reader.line_num
            if not "".join(cells).strip():
                continue
            if len(cells) != (width or len(cells)):
                raise DatasetError(f"{where}: {len(cells)} cells, not {width}: quote cells that hold {delimiter!r}")
            if not width:
                width = len(cells)
                if width != 2 or not is_image_name(cells[0].strip()):
                    path, label = _find_columns(where, cells)
                    continue
            yield where, cells[path], cells[label]
    except csv.Error as error:
        raise DatasetError(f"{name}, line {line + 1}: {error}: correct the quotes of this row") from None


def _fit(text: str, delimiter: str) -> tuple[int, int]:
    """Return how much the first row is one of ours when it is split by `delimiter`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        cells = next(cells for cells in reader if any(map(str.strip, cells)))
    except (csv.Error, StopIteration):
        return 0, 0
    known = (*FILE_COLUMNS, *LABEL_COLUMNS)
    return sum(cell.strip().lower() in known or is_image_name(cell.strip()) for cell in cells), len(cells)


def _json_rows(name: str, text: str) -> Iterable[LabelRow] | None:
    """Return the rows of a JSON document; None where it says that there are no labels."""
    document = _parse_json(name, 1, text)
    if type(document) is list:
        return _object_rows((f"{name}, entry {number}", entry) for number, entry in enumerate(document, 1))
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
        yield f"{name}, entry {number} of labels", entry[0], entry[1]


def _json_line_rows(name: str, text: str) -> Iterator[LabelRow]:
    # Not splitlines: a JSON string may hold the other line separators of Unicode.
    lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    return _object_rows((f"{name}, line {number}", _parse_json(name, number, line)) for number, line in lines)


def _object_rows(entries: Iterable[tuple[str, object]]) -> Iterator[LabelRow]:
    columns: list[str] = []
    path = label = 0
    for where, entry in entries:
        if not isinstance(entry, _Object):
            raise DatasetError(f"{where}: not an object: write one with the path and the label of an image")
        keys = [key for key, _ in entry]
        if not keys or keys != columns:
            path, label = _find_columns(where, keys)
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
