"""Large row groups written again as small ones, so that a part needs to read little more than its own rows."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.files.blob import Blob, UnreadableError
from gan.data.files.unpack import require_space
from gan.data.records import PART_BYTES, PART_IMAGES
from gan.data.sources.parquet.columns import Columns
from gan.data.sources.parquet.file import BROKEN, Group, opened, read_groups, read_rows

# Up to so many parts read their row group from its beginning each; for more a copy takes less time.
MAX_BYTES = 4 * PART_BYTES
MAX_ROWS = 4 * PART_IMAGES
_COLUMNS = Columns("image", "label")
_SCHEMA = pa.schema([("image", pa.large_binary()), ("label", pa.string())])


class Stretch(NamedTuple):
    """A row group as it is to be read.

    Attributes:
        file: where it lies: the source's file, or a copy.
        group: which one it is there.
        columns: which columns to read there.
        first: number of its first row in the source's file.
    """

    file: str
    group: Group
    columns: Columns
    first: int


def is_large(group: Group) -> bool:
    """Return whether a row group is worth a copy."""
    return group.size > MAX_BYTES or group.rows > MAX_ROWS


def cut_group(
    file: pq.ParquetFile, group: Group, first: int, columns: Columns, blob: Blob, scratch: Path, where: str
) -> Iterator[Stretch]:
    """Write a large row group as a file of small ones; memory stays bounded.

    Args:
        file: what it lies in, opened.
        group: which one it is.
        first: number of its first row in the file.
        columns: those to keep.
        blob: place, size and age of the file.
        scratch: folder for the copy; one that is there is taken.
        where: what to call the file in messages.

    Raises:
        UnreadableError: the row group is broken.
        ResourcesError: the disk is too full for it.
    """
    key = repr((blob, group.number, columns.leaf, columns.label)).encode("utf-8", "surrogateescape")
    target = scratch / hashlib.sha256(key).hexdigest()[:32]
    if not target.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_drafts(scratch)
        require_space(scratch, where, group.size)
        _rewrite(read_rows(file, group, columns), target, where)
    done = 0
    with opened(str(target)) as copy:
        for each in read_groups(copy, target.stat().st_size, where):
            yield Stretch(str(target), each, _COLUMNS, first + done)
            done += each.rows
    if done != group.rows:
        raise UnreadableError(BROKEN, f"row group {group.number} has {done:,} of {group.rows:,} rows")


def _rewrite(rows: Iterator[tuple[pa.Array, list[str]]], target: Path, where: str) -> None:
    with (
        replacing(target) as draft,
        draft.open("wb") as out,
        pq.ParquetWriter(out, _SCHEMA, compression="none", use_dictionary=False, write_statistics=False) as writer,
    ):
        for table in _gathered(rows):
            require_space(target.parent, where, table.nbytes)
            writer.write_table(table, row_group_size=len(table))


def _gathered(rows: Iterator[tuple[pa.Array, list[str]]]) -> Iterator[pa.Table]:
    images: list[pa.Array] = []
    labels: list[str] = []
    size = 0
    for some, their_labels in rows:
        images.append(some.cast(pa.large_binary()))
        labels += their_labels
        size += some.nbytes
        if size >= PART_BYTES or len(labels) >= PART_IMAGES:
            yield pa.table([pa.chunked_array(images), labels], schema=_SCHEMA)
            images, labels, size = [], [], 0
    if labels:
        yield pa.table([pa.chunked_array(images), labels], schema=_SCHEMA)
