"""The images of a release as they lie in its files, one after the other, whatever the format."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan.errors import DatasetError
from gan.release.formats.imagefolder import INDEX_FILE
from gan.release.formats.table import format_named
from gan.release.marks import read_mark
from gan.release.xmp import CREATOR_TOOL, SOURCE_TYPE, SourceMark
from gan.text.shown import reason_of
from tasks.verify.record import Stated

_SUFFIXES = {"parquet": ".parquet", "webdataset": ".tar", "npz": ".npz"}
_LIMIT = 2**63
_MOST_METADATA = 2**16
_WITH_DIGESTS = ("parquet", "webdataset")


@dataclass(frozen=True)
class ReleasedRow:
    """One image.

    Attributes:
        file: that it lies in, as the manifest names it.
        payload: a PNG file; of npz the pixels.
        label: its class, -1 for none.
        seed: that it was drawn from.
        digest: sha256 of its pixels, as it stands beside it; None where the format has no place for it.
        mark: of its file, where the images have no place for one.
    """

    file: str
    payload: bytes
    label: int
    seed: int
    digest: str | None
    mark: SourceMark | None = None


def row_files(stated: Stated) -> list[str]:
    """Return the names of the files that hold or name images, in order, whether they are there or not."""
    if stated.generation.format == "imagefolder":
        return [INDEX_FILE]
    suffix = _SUFFIXES[stated.generation.format]
    return [name for name in sorted(stated.files) if name.startswith("train-") and name.endswith(suffix)]


def rows(folder: Path, name: str, stated: Stated) -> Iterator[ReleasedRow]:
    """Yield the images of one of these files.

    Raises:
        DatasetError: it is missing or broken.
    """
    form, path = format_named(stated.generation.format), folder / name
    mark = _mark_of_arrays(path) if stated.generation.format == "npz" else None
    try:
        for row in form.rows(path):
            file = name if row.file is None else row.file.relative_to(folder).as_posix()
            found = ReleasedRow(file, row.payload, row.label, row.seed, row.digest, mark)
            _require_types(found, with_digest=stated.generation.format in _WITH_DIGESTS)
            yield found
    except (DatasetError, ValueError) as error:
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
    return row.mark if stated.generation.format == "npz" else read_mark(row.payload)


def _mark_of_arrays(path: Path) -> SourceMark | None:
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo("metadata.npy")
            if info.file_size > _MOST_METADATA:
                return None
            content = io.BytesIO(archive.read(info))
        told = json.loads(str(np.lib.format.read_array(content, allow_pickle=False)))
        return SourceMark(told[SOURCE_TYPE], told.get(CREATOR_TOOL))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile, RuntimeError, EOFError):
        return None


def _require_types(row: ReleasedRow, *, with_digest: bool) -> None:
    numbers = all(isinstance(each, int) and -_LIMIT <= each < _LIMIT for each in (row.label, row.seed))
    if not (numbers and isinstance(row.payload, bytes) and isinstance(row.digest, str) == with_digest):
        raise ValueError("a row of it is no image of a release")
