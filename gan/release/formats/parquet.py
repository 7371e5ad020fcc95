"""Parquet shards, as those of a dataset with one more column `seed`; `datasets` shows them as pictures."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from gan.data.store.shards import (
    dataset_schema,
    read_groups,
    row_group,
    rows_of_group,
    shard_name,
    shard_paths,
    write_shard,
)
from gan.release.shard import Row, Shard, broken, no_lines, png_payloads, png_pixels

INDEX_FILE = None
INDEX_HEADER = b""
_COLUMNS = ("image", "label", "seed", "sha256")
payloads = png_payloads
pixels = png_pixels
index_lines = no_lines


def files(shard: Shard) -> Iterator[tuple[str, bytes]]:
    """Yield the one file of a shard."""
    height, width, channels = shard.shape
    size = rows_of_group(height * width * channels)
    schema = dataset_schema(shard.class_names, ["seed"])
    own = {key.encode(): text.encode() for key, text in shard.marks.metadata.items()}
    schema = schema.with_metadata({**(schema.metadata or {}), **own})
    groups = (
        row_group(
            shard.payloads[group],
            shard.digests[group],
            {"label": shard.labels[group], "seed": shard.seeds[group]},
            schema,
        )
        for group in (slice(start, start + size) for start in range(0, len(shard.payloads), size))
    )
    file = io.BytesIO()
    write_shard(file, groups, schema)
    yield shard_name("train", shard.index, shard.count), file.getvalue()


def stored(folder: Path, files: Iterable[str]) -> Iterator[bytes]:
    """As `Format.stored`."""
    return (row.payload for file in files for row in rows(folder / file))


def shards(folder: Path) -> list[Path]:
    """Return the files.

    Raises:
        DatasetError: there are none, or one is missing.
    """
    return shard_paths(folder, "train")


def rows(path: Path) -> Iterator[Row]:
    """Yield the images of one file.

    Raises:
        DatasetError: it is broken.
    """
    for group in read_groups(path, list(_COLUMNS)):
        try:
            columns = (group.column(name).to_pylist() for name in _COLUMNS)
            found = [
                Row(image["bytes"], seed, label, digest) for image, label, seed, digest in zip(*columns, strict=True)
            ]
        except Exception as error:  # columns of other types
            raise broken(path, error) from None
        yield from found
