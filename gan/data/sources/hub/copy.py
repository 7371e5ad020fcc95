"""A split that the library `datasets` has loaded, written as a Parquet file of its images and labels alone."""

import hashlib
import importlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.files.blob import MAX_FILE_BYTES, Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry
from gan.data.files.unpack import require_space
from gan.data.records import PART_BYTES, PART_IMAGES
from gan.data.sources.parquet.columns import Columns, find_columns
from gan.errors import DatasetError

_BATCH_ROWS = 64
_IN_ARCHIVE = re.compile(r"(zip|tar|gzip|bz2|xz|zstd)://[^:]*::(?P<archive>/[^:]*)")


def library() -> Any:
    """Load Hugging Face's `datasets`, which takes a second and is not always there.

    Raises:
        DatasetError: it is not installed.
    """
    try:
        return importlib.import_module("datasets")
    except ImportError:
        raise DatasetError(
            "Hugging Face datasets need a library that is not installed: run `pip install 'ganflow[hf]'`"
        ) from None


def copy_split(
    split: str, rows: Any, wanted: tuple[str | None, ...], scratch: Path, label_column: str | None = None
) -> Entry:
    """Write a split as a Parquet file, unless it is there.

    Args:
        split: its name.
        rows: the `datasets.Dataset`.
        wanted: name, configuration and revision of the dataset; the first is a folder where it begins with `/`.
        scratch: folder for the file.
        label_column: which holds the labels, where somebody has named it.

    Returns:
        The file, under the name of the split.

    Raises:
        UnreadableError: no column holds images, or the one that was named no labels.
        ResourcesError: the disk is too full.
    """
    datasets = library()
    columns = find_columns(rows.features.arrow_schema, label_column)
    key = hashlib.sha256(repr((wanted, split, rows._fingerprint, columns)).encode()).hexdigest()[:32]
    if isinstance(rows.features[columns.image], datasets.Image):
        rows = rows.cast_column(columns.image, datasets.Image(decode=False))
    rows = rows.select_columns([columns.image, columns.label] if columns.label else [columns.image])
    target = scratch / f"{key}.parquet"
    if not target.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_drafts(scratch)
        _write(rows, columns, _roots(wanted[0] or ""), target)
    state = target.stat()
    return Entry(f"{split}.parquet", Blob(str(target), state.st_size, modified=state.st_mtime_ns))


def _write(rows: Any, columns: Columns, roots: tuple[str, ...], target: Path) -> None:
    schema = rows.features.arrow_schema
    with (
        replacing(target) as draft,
        draft.open("wb") as out,
        pq.ParquetWriter(out, schema, compression="none", use_dictionary=False, write_statistics=False) as writer,
    ):
        for data, labels in _gathered(rows, columns, roots):
            require_space(target.parent, target.name, sum(len(each or b"") for each in data))
            images = [{"bytes": each, "path": None} for each in data] if columns.nested else data
            values = {columns.image: images, columns.label: labels}
            arrays = [pa.array(values[field.name], field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=len(data))


def _gathered(rows: Any, columns: Columns, roots: tuple[str, ...]) -> Iterator[tuple[list[bytes | None], list[Any]]]:
    """Yield the images and labels of as many rows as a row group should have."""
    data: list[bytes | None] = []
    labels: list[Any] = []
    size = 0
    for table in rows.with_format("arrow").iter(_BATCH_ROWS):
        for image, label in zip(table.column(columns.image), table.column(columns.label or columns.image), strict=True):
            data.append(_bytes(image.as_py(), roots))
            labels.append(label.as_py() if columns.label else None)
            size += len(data[-1] or b"")
            if size >= PART_BYTES or len(data) >= PART_IMAGES:
                yield data, labels
                data, labels, size = [], [], 0
    if data:
        yield data, labels


def _bytes(image: Any, roots: tuple[str, ...]) -> bytes | None:
    """Return an image's bytes; those of a file only if the library itself has put it, or the user, where it lies."""
    if not isinstance(image, dict) or image["bytes"] is not None:
        return image["bytes"] if isinstance(image, dict) else image  # type: ignore[no-any-return]
    path = image.get("path") or ""
    member = _IN_ARCHIVE.fullmatch(path)
    # Any dataset may name any file of this machine, or any address.
    file = os.path.realpath(member["archive"] if member else path)
    if not path or not file.startswith(roots):
        return None
    try:
        return _member(path) if member else read_blob(Blob(file, 0))
    except (UnreadableError, OSError, ValueError, KeyError):
        return None


def _member(path: str) -> bytes | None:
    import fsspec

    with fsspec.open(path, "rb") as file:
        data: bytes = file.read(MAX_FILE_BYTES + 1)
    return data if len(data) <= MAX_FILE_BYTES else None


def _roots(name: str) -> tuple[str, ...]:
    """Return the folders that images may lie in, which do not include the one with the user's token."""
    import huggingface_hub

    datasets = library()
    caches = [datasets.config.HF_DATASETS_CACHE, datasets.config.DOWNLOADED_DATASETS_PATH]
    caches.append(huggingface_hub.constants.HF_HUB_CACHE)
    folders = [*caches, name] if os.path.isabs(name) else caches
    return tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)
