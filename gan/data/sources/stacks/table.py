"""One table of pixels: its labels, and its pixels written one behind the other where parts can be read from."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.files.blob import Blob
from gan.data.files.unpack import require_space, scratch_name
from gan.data.sources.stacks.columns import PixelColumns
from gan.errors import DatasetError
from gan.text.shown import reason_of

_BLOCK = 2**24  # bytes of a table that are read at a time; no row may be longer
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0*")
_LARGEST_ROW = 256 * 256


def read_texts(file: Path, columns: PixelColumns, where: str) -> tuple[list[str], list[str]]:
    """Read the labels and usages of all rows, each nothing where there is no such column.

    Raises:
        DatasetError: the table is broken.
    """
    labels: list[str] = []
    usages: list[str] = []
    wanted = [name for name in (columns.label, columns.usage) if name] or list(columns.pixels[:1])
    for batch in _batches(file, columns, dict.fromkeys(wanted, pa.string()), where):
        nothing = [""] * len(batch)
        labels += [_label(text) for text in batch.column(columns.label).to_pylist()] if columns.label else nothing
        usages += batch.column(columns.usage).to_pylist() if columns.usage else nothing
    return labels, usages


def write_pixels(file: Path, source: Blob, columns: PixelColumns, where: str, scratch: Path) -> Blob:
    """Write the pixels of all rows, a byte each, one behind the other.

    Args:
        file: the table.
        source: where it lies; its place, size and age name the result, which a later call finds there again.
        columns: those of the table.
        where: what to call it in messages.
        scratch: folder for the result.

    Raises:
        DatasetError: a row is broken, or a pixel is no whole number from 0 to 255.
        ResourcesError: the disk is too full.
    """
    target = scratch / scratch_name(source, columns)
    if not target.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_drafts(scratch)
        with replacing(target) as draft, draft.open("wb") as out:
            for rows in _pixels(file, columns, where):
                require_space(scratch, where, rows.nbytes)
                out.write(rows.data)
    return Blob(str(target), target.stat().st_size, 0, modified=source.modified)


def _pixels(file: Path, columns: PixelColumns, where: str) -> Iterator[NDArray[np.uint8]]:
    kind = pa.uint8() if columns.side else pa.string()
    width = 0
    for batch in _batches(file, columns, dict.fromkeys(columns.pixels, kind), where):
        if not len(batch):
            continue
        if not columns.side:
            batch = _from_texts(batch.column(0), where)
        if width not in {0, batch.num_columns}:
            raise DatasetError(f"{where} has rows of {width:,} pixels and of {batch.num_columns:,}: repair it")
        width = batch.num_columns
        yield np.stack([_numbers(column) for column in batch.columns], axis=1)


def _from_texts(texts: pa.Array, where: str) -> pa.RecordBatch:
    """Read rows of numbers with spaces between as a table of their own."""
    lines = texts.to_pylist()
    width = lines[0].count(" ") + 1
    if width > _LARGEST_ROW:
        raise DatasetError(f"{where} has rows of {width:,} pixels, more than are read: give image files")
    names = [str(index) for index in range(width)]
    with _as_sentence(where):
        reader = csv.open_csv(
            pa.BufferReader("\n".join(lines).encode()),
            csv.ReadOptions(use_threads=False, block_size=2 * _BLOCK, column_names=names),
            csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.uint8()), null_values=[]),
        )
        (batch,) = reader.read_all().combine_chunks().to_batches()
    if len(batch) != len(lines):
        raise DatasetError(f"{where} has line ends among its pixels: repair it")
    return batch


def _numbers(column: pa.Array) -> NDArray[np.uint8]:
    # `to_numpy` would load pandas.
    return np.frombuffer(column.buffers()[1], np.uint8, len(column), column.offset)


def _batches(file: Path, columns: PixelColumns, kinds: dict[str, pa.DataType], where: str) -> Iterator[pa.RecordBatch]:
    with _as_sentence(where):
        reader = csv.open_csv(
            file,
            csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            csv.ParseOptions(delimiter=columns.delimiter),
            csv.ConvertOptions(
                include_columns=list(kinds),
                column_types=kinds,
                null_values=[],
                check_utf8=True,
                strings_can_be_null=False,
            ),
        )
    with reader:
        while True:
            with _as_sentence(where):
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
            yield batch


@contextmanager
def _as_sentence(where: str) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        raise DatasetError(
            f"{where} is a table of pixels, but broken ({reason_of(error, 120)}): write a whole number from 0 to 255 "
            "for each pixel of every row"
        ) from None


def _label(text: str) -> str:
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text
