"""The images of a release as they lie in its files, one after the other, whatever the format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gan.data.pixels.png import decode_png
from gan.errors import DatasetError
from gan.release.marks import read_mark
from gan.release.xmp import SourceMark
from gan.text.shown import reason_of
from tasks.generate.verified import Stated

_COLUMNS = ("image", "label", "seed", "sha256")
_LIMIT = 2**63


@dataclass(frozen=True)
class ReleasedRow:
    """One image.

    Attributes:
        file: that it lies in, as the manifest names it.
        payload: a PNG file.
        label: its class, -1 for none.
        seed: that it was drawn from.
        digest: sha256 of its pixels, as it stands beside it; None where the format has no place for it.
    """

    file: str
    payload: bytes
    label: int
    seed: int
    digest: str | None


def row_files(stated: Stated) -> list[str]:
    """Return the names of the files that hold or name images, in order, whether they are there or not."""
    return [name for name in sorted(stated.files) if name.startswith("train-") and name.endswith(".parquet")]


def rows(folder: Path, name: str, stated: Stated) -> Iterator[ReleasedRow]:
    """Yield the images of one of these files.

    Raises:
        DatasetError: it is missing or broken.
    """
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
    return decode_png(row.payload, stated.image.shape)


def mark_of(row: ReleasedRow, stated: Stated) -> SourceMark | None:
    """Return what an image says of its source, None where it says nothing.

    Raises:
        ValueError: its mark cannot be read.
    """
    return read_mark(row.payload)


def _require_types(row: ReleasedRow) -> None:
    numbers = all(isinstance(each, int) and -_LIMIT <= each < _LIMIT for each in (row.label, row.seed))
    if not (numbers and isinstance(row.payload, bytes) and isinstance(row.digest, str)):
        raise ValueError("a row of it is no image of a release")
