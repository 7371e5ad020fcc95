"""The images of a release as they lie in its files, one after the other, whatever the format."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gan.errors import DatasetError
from gan.release.formats import npz
from gan.release.formats.table import format_named
from gan.release.marks import read_mark
from gan.release.xmp import CREATOR_TOOL, SOURCE_TYPE, SourceMark
from gan.text.shown import reason_of
from tasks.generate.verified import Stated

_COLUMNS = ("image", "label", "seed", "sha256")
_LIMIT = 2**63


@dataclass(frozen=True)
class ReleasedRow:
    """One image.

    Attributes:
        file: that it lies in, as the manifest names it.
        payload: a PNG file; the pixels in NumPy's archives.
        label: its class, -1 for none.
        seed: that it was drawn from.
        digest: sha256 of its pixels, as it stands beside it; None where the format has no place for it.
        of_file: what the file says of the source of all its images, in formats whose images cannot say it themselves.
    """

    file: str
    payload: bytes
    label: int
    seed: int
    digest: str | None
    of_file: SourceMark | None = None


def row_files(stated: Stated) -> list[str]:
    """Return the names of the files that hold or name images, in order, whether they are there or not."""
    form = format_named(stated.generation.format)
    if form.INDEX_FILE:
        return [form.INDEX_FILE]
    return [name for name in sorted(stated.files) if re.fullmatch(r"train-\d+-of-\d+\.(parquet|tar|npz)", name)]


def rows(folder: Path, name: str, stated: Stated) -> Iterator[ReleasedRow]:
    """Yield the images of one of these files.

    Raises:
        DatasetError: it is missing or broken.
    """
    if stated.generation.format != "parquet":
        of_file = _mark_of_file(folder / name) if stated.generation.format == "npz" else None
        for each in format_named(stated.generation.format).rows(folder / name):
            yield ReleasedRow(name, each.payload, each.label, each.seed, None, of_file)
        return
    try:
        with pq.ParquetFile(folder / name) as file:
            if any(file.schema_arrow.names.count(column) != 1 for column in _COLUMNS):
                raise ValueError(f"it does not have one column each of {', '.join(_COLUMNS)}")
            for index in range(file.num_row_groups):
                group = file.read_row_group(index, columns=list(_COLUMNS))
                columns = (group.column(column).to_pylist() for column in _COLUMNS)
                for image, label, seed, digest in zip(*columns, strict=True):
                    row = ReleasedRow(name, image["bytes"], label, seed, digest)
                    _require_types(row)
                    yield row
    except Exception as error:  # on damaged files pyarrow raises nearly any type
        raise DatasetError(f"{name} is broken ({reason_of(error)})") from None


def pixels_of(row: ReleasedRow, stated: Stated) -> NDArray[np.uint8]:
    """Decode an image to [H, W, C].

    Raises:
        ValueError: it is broken, or of another size than the manifest says.
    """
    return format_named(stated.generation.format).pixels(row.payload, stated.image.shape)


def mark_of(row: ReleasedRow, stated: Stated) -> SourceMark | None:
    """Return what an image says of its source, None where it says nothing.

    Raises:
        ValueError: its mark cannot be read.
    """
    return row.of_file if stated.generation.format == "npz" else read_mark(row.payload)


def _mark_of_file(path: Path) -> SourceMark | None:
    said = npz.metadata(path)
    return SourceMark(said[SOURCE_TYPE], said.get(CREATOR_TOOL)) if SOURCE_TYPE in said else None


def _require_types(row: ReleasedRow) -> None:
    numbers = all(isinstance(each, int) and -_LIMIT <= each < _LIMIT for each in (row.label, row.seed))
    if not (numbers and isinstance(row.payload, bytes) and isinstance(row.digest, str)):
        raise ValueError("a row of it is no image of a release")
