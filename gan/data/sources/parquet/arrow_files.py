"""Arrow files, as Hugging Face's `save_to_disk` leaves them, written again as Parquet."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.files.blob import Blob
from gan.data.files.tree import Entry, Tree, in_tree
from gan.data.files.unpack import own_file, require_space, scratch_name
from gan.data.records import PART_IMAGES
from gan.data.sources.foreign import ARROW, is_arrow
from gan.errors import DatasetError, GanflowError
from gan.text.shown import reason_of


def as_parquet(tree: Tree, scratch: Path) -> Tree:
    """Write the Arrow files of a tree as Parquet, a few rows at a time.

    Args:
        tree: the files.
        scratch: folder for the results; a later call finds them there again.

    Returns:
        A tree of Parquet files, called as the Arrow files are; the tree itself where it has some of its own.

    Raises:
        DatasetError: one is broken.
        ResourcesError: the disk is too full.
    """
    if tree.is_parquet or any(entry.path.lower().endswith(".parquet") for entry in tree.entries):
        return tree
    entries = [_written(entry, tree.where, scratch) for entry in tree.entries if is_arrow(entry)]
    return replace(tree, entries=tuple(entries)) if entries else tree


def _written(entry: Entry, where: str, scratch: Path) -> Entry:
    where = in_tree(entry.path, where)
    target = scratch / scratch_name("parquet", entry.blob)
    if not target.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_drafts(scratch)
        require_space(scratch, where, entry.blob.size)
        try:
            _write(own_file(entry.blob, where, scratch), target)
        except GanflowError:
            raise
        except Exception as error:  # on hostile files pyarrow raises nearly any type
            if isinstance(error, OSError) and error.errno:
                raise
            raise DatasetError(f"{where} is a broken Arrow file ({reason_of(error, 120)}): fetch it again") from None
    path = f"{entry.path.removesuffix('.arrow')}.parquet"
    return Entry(path, Blob(str(target), target.stat().st_size, modified=entry.blob.modified))


def _write(source: Path, target: Path) -> None:
    with source.open("rb") as file, replacing(target) as draft, draft.open("wb") as out:
        schema, batches = _batches(file)
        with pq.ParquetWriter(out, schema, compression="none", use_dictionary=False, write_statistics=False) as writer:
            for batch in batches:
                batch.validate(full=True)  # else a lie within it would end the process
                writer.write_table(pa.Table.from_batches([batch]), row_group_size=PART_IMAGES)


def _batches(file: object) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    opened = pa.PythonFile(file, mode="r")
    is_file = opened.read(len(ARROW)) == ARROW
    opened.seek(0)
    if not is_file:
        stream = pa.ipc.open_stream(opened)
        return stream.schema, iter(stream)
    reader = pa.ipc.open_file(opened)
    return reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))
