"""The images of a release as they lie in its files, one after the other, whatever the format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from gan.errors import DatasetError
from gan.text.shown import reason_of
from tasks.generate.verified import Stated

FORMATS = ("parquet",)
_COLUMNS = ("image", "label", "seed", "sha256")
_LIMIT = 2**63


@dataclass(frozen=True)
class ReleasedRow:
    """One image.

    Attributes:
        payload: a PNG file.
        label: its class, -1 for none.
        seed: that it was drawn from.
        digest: sha256 of its pixels, as it stands beside it.
    """

    payload: bytes
    label: int
    seed: int
    digest: str


def row_files(folder: Path, stated: Stated) -> list[Path]:
    """Return the files that hold images, in order, whether they are there or not."""
    return [folder / name for name in sorted(stated.files) if name.startswith("train-") and name.endswith(".parquet")]


def rows(path: Path) -> Iterator[ReleasedRow]:
    """Yield the images of one of these files.

    Raises:
        DatasetError: it is missing or broken.
    """
    try:
        with pq.ParquetFile(path) as file:
            if any(file.schema_arrow.names.count(name) != 1 for name in _COLUMNS):
                raise ValueError(f"it does not have one column each of {', '.join(_COLUMNS)}")
            for index in range(file.num_row_groups):
                group = file.read_row_group(index, columns=list(_COLUMNS))
                for image, label, seed, digest in zip(
                    *(group.column(name).to_pylist() for name in _COLUMNS), strict=True
                ):
                    row = ReleasedRow(image["bytes"], label, seed, digest)
                    _require_types(row)
                    yield row
    except Exception as error:  # on damaged files pyarrow raises nearly any type
        raise DatasetError(f"{path.name} is broken ({reason_of(error)})") from None


def _require_types(row: ReleasedRow) -> None:
    numbers = all(isinstance(each, int) and -_LIMIT <= each < _LIMIT for each in (row.label, row.seed))
    if not (numbers and isinstance(row.payload, bytes) and isinstance(row.digest, str)):
        raise ValueError("a row of it is no image of a release")
