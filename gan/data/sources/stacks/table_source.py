"""Tables with a row for each image and a column for each pixel, as Kaggle has MNIST and its family, as a source."""

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob
from gan.data.files.tree import Entry, Tree, in_tree
from gan.data.records import UNLABELLED, SplitName
from gan.data.sources.arrays import plain_file
from gan.data.sources.labels.classes import found_classes
from gan.data.sources.splits import split_names
from gan.data.sources.stacks.columns import PixelColumns, list_tables
from gan.data.sources.stacks.header import Header
from gan.data.sources.stacks.labels import Codes, text_codes, without_labels
from gan.data.sources.stacks.names import take_apart
from gan.data.sources.stacks.part import Layout, Stack, cut_stack
from gan.data.sources.stacks.table import read_texts, write_pixels
from gan.data.sources.stacks.values import find_reading, value_range
from gan.errors import DatasetError
from gan.text.shown import shown

_BYTE = np.dtype(np.uint8)
_USAGES = {"training": "train", "publictest": "validation", "privatetest": "test"}  # FER2013's
_MOST_RUNS = 1000


class _Table(NamedTuple):
    path: str
    pixels: Blob
    shape: tuple[int, ...]
    codes: Codes
    labelled: bool
    runs: list[tuple[str, range]]  # word for a split, rows


class TableSource:
    """CSV files with columns `label, pixel0, …, pixel783`, or `emotion, pixels, Usage`: square images.

    They are grey, or have a column for each colour that is called so: `pixel0_r`, `pixel0_g` and so on.

    Args:
        tree: the files; other tables in it are left out.
        scratch: folder for the pixels as bytes; a later run finds them there again.
        use_labels: whether the column of labels is taken.

    Raises:
        DatasetError: a table is broken, or holds other images than squares.
        ResourcesError: the disk is too full.
    """

    kind: SourceKind = "csv"

    def __init__(self, tree: Tree, scratch: Path, *, use_labels: bool = True) -> None:
        self.name = tree.name
        found = list_tables(tree)
        labelled = [each for each in found if each[1].label] or found
        if len({take_apart(entry.path, is_set=True).rest for entry, _ in labelled}) > 1:
            names = ", ".join(shown(entry.path) for entry, _ in labelled[:6])
            raise DatasetError(f"{tree.where} has tables of several sets ({names}): give the files of one")
        self._tables = [_open(entry, columns, tree.where, scratch) for entry, columns in labelled]
        words = {word for table in self._tables for word, _ in table.runs}
        self._splits: dict[str, SplitName] = split_names(words) or {}
        self.has_split = bool(self._splits)
        texts = {text for table in self._tables for text in table.codes.texts if table.labelled and use_labels}
        self._classes = found_classes(texts, f"the column of labels in {tree.where}") if texts else None
        self.class_names = self._classes.names if self._classes else ()
        self._values, note = find_reading((_range(table, tree.where) for table in self._tables), _BYTE, tree.where)
        notes = [note] if note else []
        for entry, columns in found:
            if (entry, columns) not in labelled:
                count = _rows(entry, columns, tree.where, scratch)
                notes.append(without_labels(count, entry.path))
        self.notes: tuple[str, ...] = (*tree.notes, *notes, *_others(labelled))

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(len(table.codes.of_images) for table in self._tables)

    def parts(self) -> Sequence[Stack]:
        """Cut each table into parts."""
        parts: list[Stack] = []
        for table, word, run in self._runs():
            labels: list[int | str] = [UNLABELLED] * len(table.codes.of_images)
            if self._classes:
                labels = table.codes.labels(self._classes)
            place = (table.path, table.pixels, _BYTE.str, Layout(table.shape), self._values)
            parts += cut_stack(*place, labels[run.start : run.stop], self._splits.get(word), run.start)
        return parts

    def _runs(self) -> list[tuple[_Table, str, range]]:
        runs = [(table, word, run) for table in self._tables for word, run in table.runs]
        return sorted(runs, key=lambda each: (self._splits.get(each[1]) == "test", each[0].path, each[2].start))


def _open(entry: Entry, columns: PixelColumns, where: str, scratch: Path) -> _Table:
    file = plain_file(entry, where, scratch)
    where = in_tree(entry.path, where)
    labels, usages = read_texts(file, columns, where)
    pixels = write_pixels(file, entry.blob, columns, where, scratch)
    if not labels:
        raise DatasetError(f"{where} has no rows: fetch it again")
    count = pixels.size // (len(labels) * columns.channels)
    side = math.isqrt(count)
    if side * side * columns.channels * len(labels) != pixels.size:
        raise DatasetError(f"{where} has rows of {count:,} pixels, which are no square: give image files")
    word = take_apart(entry.path).split
    shape = (side, side, 3) if columns.channels == 3 else (side, side)
    return _Table(entry.path, pixels, shape, text_codes(labels), bool(columns.label), _cut(usages, word, where))


def _cut(usages: list[str], word: str, where: str) -> list[tuple[str, range]]:
    """Return runs of rows of one split, by their usages, else by the word for one in the file's name."""
    runs = []
    start = 0
    for usage, rows in groupby(usages):
        stop = start + sum(1 for _ in rows)
        runs.append((_USAGES.get(usage.lower(), usage.lower()) or word, range(start, stop)))
        start = stop
    if len(runs) > _MOST_RUNS:
        raise DatasetError(f"{where} changes its split more than {_MOST_RUNS:,} times: sort it by that column")
    return runs


def _range(table: _Table, where: str) -> tuple[float, float]:
    header = Header(_BYTE, (len(table.codes.of_images), *table.shape), False, 0)
    return value_range(table.pixels, header, in_tree(table.path, where))


def _rows(entry: Entry, columns: PixelColumns, where: str, scratch: Path) -> int:
    return len(read_texts(plain_file(entry, where, scratch), columns, in_tree(entry.path, where))[0])


def _others(tables: Sequence[tuple[Entry, PixelColumns]]) -> list[str]:
    others = sorted({name for _, columns in tables for name in columns.others})
    return [f"columns that are not used: {shown(', '.join(others))[:200]}"] if others else []
