"""Which columns of a table are the pixels of an image: told by the first line of the file."""

import csv
import io
import math
import re
from typing import NamedTuple

from gan.data.files.tree import Entry, Tree, in_tree
from gan.data.files.unpack import head_of
from gan.data.sources.labels.rows import LABEL_COLUMNS
from gan.errors import DatasetError

# The first line of a table of 256x256 pixels, which is the largest that is read.
HEADER_BYTES = 2**20
_LARGEST_SIDE = 256
_LEAST_PIXELS = 16
_NUMBERED = re.compile(r"(?:pixels?|pix|px|p|attr)?[ _.-]?(\d{1,6})")
_NUMBER = re.compile(r"\s*[0-9]{1,6}(\.[0-9]{1,6})?\s*")  # pandas makes 0.1 of a 0 that comes twice
_PLACED = re.compile(r"(\d{1,4})x(\d{1,4})")
_LABELS = (*LABEL_COLUMNS, "emotion")
_USAGES = ("usage", "split")


class PixelColumns(NamedTuple):
    """The columns to read.

    Attributes:
        pixels: names of those with a pixel each, by row and column of the image; or the one with all as text.
        side: of the images; 0 where the text tells it.
        label: name of the column of labels; nothing where there is none.
        usage: name of the column that says the split; nothing where there is none.
        delimiter: what separates cells.
        others: names of columns that are not read.
    """

    pixels: tuple[str, ...]
    side: int
    label: str
    usage: str
    delimiter: str
    others: tuple[str, ...]


def is_pixel_table(tree: Tree) -> bool:
    """Return whether a tree holds a table of pixels.

    Raises:
        DatasetError: it does, but not of square grey images.
    """
    return bool(list_tables(tree))


def list_tables(tree: Tree) -> list[tuple[Entry, PixelColumns]]:
    """List the tables of pixels in a tree: files that end in `.csv`, or the only one.

    Raises:
        DatasetError: one is not of square grey images.
    """
    found = []
    for entry in tree.entries:
        if entry.path.lower().endswith(".csv") or len(tree.entries) == 1:
            try:
                columns = find_columns(head_of(entry.blob, HEADER_BYTES))
            except ValueError as error:
                raise DatasetError(f"{in_tree(entry.path, tree.where)} is a table of pixels, but {error}") from None
            if columns:
                found.append((entry, columns))
    return found


def find_columns(head: bytes) -> PixelColumns | None:
    """Read the first line of a table; None where it names no pixels.

    Args:
        head: the file's first `HEADER_BYTES`, or all of it.

    Raises:
        ValueError: it names pixels, but not those of one square grey image; the message says so.
    """
    line, end, _ = head.partition(b"\n")
    if not end or b"\0" in line:
        return None
    text = line.decode("utf-8-sig", "replace").strip()
    delimiter = max(",;\t", key=text.count)
    try:
        (names,) = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None
    lowered = [name.strip().lower() for name in names]
    label = next((names[lowered.index(each)] for each in _LABELS if each in lowered), "")
    usage = next((names[lowered.index(each)] for each in _USAGES if each in lowered), "")
    side = 0
    pixels: tuple[str, ...] = (names[lowered.index("pixels")],) if "pixels" in lowered and label else ()
    if not pixels:
        pixels = _pixels([name for name in names if name not in {label, usage}])
        if len(pixels) < _LEAST_PIXELS:
            _refuse_numbers(names)
            return None
        side = _side(len(pixels))
    if len(set(names)) < len(names):
        raise ValueError("two of its columns have one name")
    others = tuple(name for name in names if name not in {label, usage, *pixels})
    return PixelColumns(pixels, side, label, usage, delimiter, others)


def _pixels(names: list[str]) -> tuple[str, ...]:
    """Return the names that are numbered, in the order of their numbers; nothing where some number is missing."""
    places = {}
    for name in names:
        if match := _NUMBERED.fullmatch(name.strip().lower()) or _PLACED.fullmatch(name.strip().lower()):
            places[tuple(map(int, match.groups()))] = name
    if not places or len({len(place) for place in places}) > 1:
        return ()
    ordered = sorted(places)
    first, last = ordered[0], ordered[-1]
    spans = [high - low + 1 for low, high in zip(first, last, strict=True)]
    whole = math.prod(spans) == len(ordered) and set(first) <= {0, 1}
    return tuple(places[place] for place in ordered) if whole else ()


def _refuse_numbers(names: list[str]) -> None:
    if len(names) > _LEAST_PIXELS and all(map(_NUMBER.fullmatch, names)):
        raise ValueError("its first line holds numbers and no names: write label,pixel0,pixel1 and so on above it")


def _side(count: int) -> int:
    side = math.isqrt(count)
    if side * side == count and side <= _LARGEST_SIDE:
        return side
    if 3 * math.isqrt(count // 3) ** 2 == count:
        raise ValueError(
            f"its {count:,} pixels may be those of a square in three colours, in an order that it does not say: give "
            "NumPy's arrays or image files"
        )
    raise ValueError(f"its {count:,} pixels are those of no square of at most {_LARGEST_SIDE} a side: give image files")
