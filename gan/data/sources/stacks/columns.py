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
_NUMBER = re.compile(r"\s*[0-9]{1,6}(\.[0-9]{1,6})?\s*")  # pandas makes 0.1 of a 0 that comes twice
# pixel0, 3x4, pixel0_r, r0
_FORMS = (
    re.compile(r"(?:pixels?|pix|px|p|attr)?[ _.-]?(?P<first>\d{1,6})"),
    re.compile(r"(?P<first>\d{1,4})x(?P<second>\d{1,4})"),
    re.compile(r"(?:pixels?|pix|px|p)?[ _.-]?(?P<first>\d{1,6})[ _.-]?(?P<colour>[rgb])"),
    re.compile(r"(?P<colour>[rgb])[ _.-]?(?P<first>\d{1,6})"),
)
_LABELS = (*LABEL_COLUMNS, "emotion")
_USAGES = ("usage", "split")


class PixelColumns(NamedTuple):
    """The columns to read.

    Attributes:
        pixels: names of those with a value each, by row, column and colour of the image; or the one with all as text.
        side: of the images; 0 where the text tells it.
        channels: 3 where each pixel has a column for red, green and blue, else 1.
        label: name of the column of labels; nothing where there is none.
        usage: name of the column that says the split; nothing where there is none.
        delimiter: what separates cells.
        others: names of columns that are not read.
    """

    pixels: tuple[str, ...]
    side: int
    channels: int
    label: str
    usage: str
    delimiter: str
    others: tuple[str, ...]


def is_pixel_table(tree: Tree) -> bool:
    """Return whether a tree holds a table of pixels.

    Raises:
        DatasetError: it does, but not of square images.
    """
    return bool(list_tables(tree))


def list_tables(tree: Tree) -> list[tuple[Entry, PixelColumns]]:
    """List the tables of pixels in a tree: files that end in `.csv`, or the only one.

    Raises:
        DatasetError: one is not of square images.
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
        ValueError: it names pixels, but not those of one square image, grey or of said colours; the message says so.
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
    side, channels = 0, 1
    pixels: tuple[str, ...] = (names[lowered.index("pixels")],) if "pixels" in lowered and label else ()
    if not pixels:
        pixels, channels = _pixels([name for name in names if name not in {label, usage}])
        if not pixels:
            _refuse_numbers(names)
            return None
        side = _side(len(pixels) // channels)
    if len(set(names)) < len(names):
        raise ValueError("two of its columns have one name")
    others = tuple(name for name in names if name not in {label, usage, *pixels})
    return PixelColumns(pixels, side, channels, label, usage, delimiter, others)


def _pixels(names: list[str]) -> tuple[tuple[str, ...], int]:
    """Return the names that are numbered, by row, column and colour, and how many colours there are; else nothing.

    Raises:
        ValueError: they say that there are more rows than columns, or fewer.
    """
    for form in _FORMS:
        places = {}
        for name in names:
            if match := form.fullmatch(name.strip().lower()):
                places[_place(**match.groupdict())] = name
        if len(places) < _LEAST_PIXELS:
            continue
        ordered = sorted(places)
        spans = [high - low + 1 for low, high in zip(ordered[0], ordered[-1], strict=True)]
        if math.prod(spans) == len(ordered) and set(ordered[0]) <= {0, 1}:
            if "second" in form.groupindex and spans[0] != spans[1]:
                raise ValueError(
                    f"its images are of {spans[0]:,}x{spans[1]:,} pixels and so no squares: give image files"
                )
            return tuple(places[place] for place in ordered), 3 if "colour" in form.groupindex else 1
    return (), 1


def _place(first: str, second: str = "", colour: str = "") -> tuple[int, ...]:
    return (int(first), *([int(second)] if second else []), *(["rgb".index(colour)] if colour else []))


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
