"""One Parquet file, which may be broken or lie: its row groups, and its rows a few at a time in bounded memory."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gan.data.files.archive import refuse_bomb
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.sources.parquet.columns import Columns, find_columns, is_text
from gan.errors import GanflowError
from gan.text.shown import reason_of

BROKEN = "broken Parquet file"
_MAGIC = b"PAR1"
_READ_BYTES = 2**20  # without it pyarrow reads a column of a row group as a whole
_BATCH_ROWS = 256
_LABEL_ROWS = 2**16
_AT_ONCE_BYTES = 2**28
_ANY_ROWS = 1_000_000  # believed whatever the size of the file
_MAX_LIST = 100_000  # columns, or row groups; Thrift would believe any number


class Group(NamedTuple):
    """A row group: its number in the file, and by the file's own word its rows and their bytes in all columns."""

    number: int
    rows: int
    size: int


@contextmanager
def opened(file: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; links are not followed and pipes not waited for.

    Raises:
        UnreadableError: it is none, or its footer is broken.
    """
    if read_blob(Blob(file, len(_MAGIC), 0)) != _MAGIC:
        raise UnreadableError("no Parquet file")
    with _refusing_broken():
        data = open(file, "rb")  # noqa: SIM115
    with data:  # a file object, because pyarrow opens no name that is not UTF-8
        with _refusing_broken():
            found = pq.ParquetFile(data, buffer_size=_READ_BYTES, thrift_container_size_limit=_MAX_LIST)
        yield found


@contextmanager
def _refusing_broken() -> Iterator[None]:
    try:
        yield
    except (UnreadableError, GanflowError):
        raise
    except Exception as error:  # on hostile files pyarrow raises nearly any type
        if isinstance(error, OSError) and error.errno:
            raise UnreadableError("cannot be read", os.strerror(error.errno)) from None
        raise UnreadableError(BROKEN, reason_of(error, 120)) from None


def read_columns(file: pq.ParquetFile, asked: str | None = None) -> Columns:
    """Choose the columns to read; `asked` is the one of labels, where somebody has named it.

    Raises:
        UnreadableError: there are none, or the schema is broken.
    """
    with _refusing_broken():
        return find_columns(file.schema_arrow, asked)


def read_groups(file: pq.ParquetFile, size: int, where: str) -> list[Group]:
    """List the row groups, after a look whether the footer can be true.

    Args:
        file: it, opened.
        size: the file's bytes.
        where: what to call it in messages.

    Raises:
        UnreadableError: the footer contradicts itself or the size of the file.
        DatasetError: it would swell beyond all reason.
    """
    with _refusing_broken():
        # Nothing is asked of a column here: on some broken footers pyarrow then ends the process.
        found = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        groups = [Group(number, group.num_rows, group.total_byte_size) for number, group in enumerate(found)]
        total, rows = sum(group.size for group in groups), file.metadata.num_rows
        if any(group.rows < 0 or group.size < 0 for group in groups) or rows != sum(group.rows for group in groups):
            raise UnreadableError(BROKEN, "its footer contradicts itself")
        # An image takes a byte at least, unless it is there many times; a lie of 2^60 rows would never come to an end.
        if rows > max(size, _ANY_ROWS):
            raise UnreadableError(BROKEN, f"its footer tells of {rows:,} rows in {size:,} bytes")
    refuse_bomb(total, size, where)
    # What says that it is smaller than its own packed bytes is not believed.
    return groups if 2 * total >= size else [group._replace(size=size) for group in groups]


def read_rows(
    file: pq.ParquetFile, group: Group, columns: Columns, start: int = 0
) -> Iterator[tuple[pa.Array, list[str]]]:
    """Yield the bytes of the images of a few rows, and their labels as text, nothing where there is none.

    Raises:
        UnreadableError: the row group is broken.
    """
    leaves = [columns.leaf, columns.label] if columns.label else [columns.leaf]
    for batch in _batches(file, group, leaves, _BATCH_ROWS):
        if start >= len(batch):
            start -= len(batch)
            continue
        with _refusing_broken():
            batch = batch.slice(start)
            start = 0
            images = batch.column(columns.image)
            if columns.nested:
                images = images.field("bytes")
            if pa.types.is_dictionary(images.type):
                images = images.dictionary_decode()
            labels = label_texts(batch.column(columns.label)) if columns.label else [""] * len(images)
        yield images, labels


def read_labels(file: pq.ParquetFile, group: Group, columns: Columns) -> Iterator[Counter[str]]:
    """Count the labels, as text, of many rows at a time.

    Raises:
        UnreadableError: the row group is broken.
    """
    for batch in _batches(file, group, [columns.label], _LABEL_ROWS):
        with _refusing_broken():
            counts = Counter(label_texts(batch.column(columns.label)))
        yield counts


def _batches(file: pq.ParquetFile, group: Group, leaves: list[str], most: int) -> Iterator[pa.RecordBatch]:
    # A dictionary can repeat its largest value in every row, so each may be as large as all that is there.
    rows = max(1, min(most, _AT_ONCE_BYTES // max(1, group.size)))
    with _refusing_broken():
        stream = file.iter_batches(rows, row_groups=[group.number], columns=leaves, use_threads=False)
    while True:
        with _refusing_broken():
            batch = next(stream, None)
        if batch is None:
            return
        yield batch


def label_texts(values: pa.Array) -> list[str]:
    """Return labels of any type as text: whole numbers without a point, and nothing for null."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if is_text(values.type):
        values = values.cast(pa.large_binary())  # it may be no UTF-8
    return [_label_text(value) for value in values.to_pylist()]


def _label_text(value: Any) -> str:
    if value is None or value != value:  # NaN, as pandas has it
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(int(value)) if value == value // 1 else str(value)
