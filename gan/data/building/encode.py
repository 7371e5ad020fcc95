"""One part of a source to a table of finished images: decoded, judged, prepared, hashed and packed as PNG."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gan.data.building.judge import BLANK, are_blank, refusal
from gan.data.building.part_store import keep_part
from gan.data.building.recipe import Recipe
from gan.data.building.split import split_key
from gan.data.pixels.png import encode_pngs
from gan.data.pixels.prepare import prepare
from gan.data.records import Part, Reject, SourceImage
from gan.data.store.arrow import to_arrow

_FORMAT = 2  # of the table; part of every key under which one is kept
_DIGEST = pa.binary(32)
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("reason", pa.string()),  # empty: an image, and the columns below are meant
        ("detail", pa.string()),
        ("label", pa.int32()),
        ("split", pa.int8()),  # the source's own: 0 train, 1 test, -1 none
        ("key", pa.uint64()),  # of the source pixels, to hold it out by
        ("channels", pa.int8()),  # 0: no image
        ("width", pa.int32()),  # of the source image
        ("height", pa.int32()),
        ("sha256", _DIGEST),  # of the prepared pixels
        ("sha256_rgb", _DIGEST),  # of the same as RGB, where they are grey and may have to be
        ("sums", pa.list_(pa.int64(), 6)),  # of values and their squares, by channel
        ("png", pa.binary()),
    ]
)
# What a column holds where there is no image: no nulls, so that columns are plain memory.
_NOTHING: dict[str, Any] = dict.fromkeys(("path", "reason", "detail"), "")
_NOTHING |= dict.fromkeys(("label", "split", "key", "channels", "width", "height"), 0)
_NOTHING |= {"sha256": bytes(32), "sha256_rgb": bytes(32), "sums": [0] * 6, "png": b""}
_SPLITS = {None: -1, "train": 0, "test": 1}


@dataclass(frozen=True)
class Job:
    """A part and what to make of it; `do` does it in any process.

    Attributes:
        part: what to read.
        recipe: what to make of each image.
        to: where the result goes, on a disk that the process sees; None: it is returned.
    """

    part: Part
    recipe: Recipe
    to: Path | None = None

    def key(self) -> str:
        """Return the name of the result: equal keys, equal results."""
        text = repr((_FORMAT, self.recipe, self.part.identity()))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def do(job: Job) -> bytes | None:
    """Do a job, and return its result or put it where the job says."""
    table = encode(job)
    if job.to is None:
        return table.to_pybytes()  # type: ignore[no-any-return]
    keep_part(job.to, table)
    return None


def encode(job: Job) -> pa.Buffer:
    """Read, judge, prepare and pack the records of a part.

    Returns:
        A table of `SCHEMA` with a row per record, in order, as an Arrow IPC file.
    """
    rows = [_prepared(record, job.recipe) for record in job.part.read()]
    assert len(rows) == len(job.part)
    table = _table(rows, job.recipe)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_table(table)
    return sink.getvalue()


@dataclass(frozen=True, eq=False, slots=True)
class _Prepared:
    source: SourceImage
    pixels: NDArray[np.uint8]


def _prepared(record: SourceImage | Reject, recipe: Recipe) -> _Prepared | Reject:
    if isinstance(record, Reject):
        return record
    if refused := refusal(record, recipe):
        return refused
    height, width, channels = record.pixels.shape
    pixels = prepare(
        record.pixels,
        resolution=recipe.resolution,
        crop=recipe.crop,
        filter=recipe.filter,
        # Grey and colour are told apart once all images are known; bars in a colour make any image coloured.
        channels=recipe.channels or (3 if recipe.colours_bars and height != width else channels),
        background=recipe.background,
    )
    return _Prepared(record, pixels)


def _table(rows: Sequence[_Prepared | Reject], recipe: Recipe) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [_NOTHING[name]] * len(rows) for name in SCHEMA.names}
    for channels in (1, 3):
        found = [at for at, row in enumerate(rows) if isinstance(row, _Prepared) and row.pixels.shape[2] == channels]
        for name, values in _facts([rows[at] for at in found], recipe).items():  # type: ignore[misc]
            column = columns[name]
            for at, value in zip(found, values, strict=True):
                column[at] = value
    for at, row in enumerate(rows):
        if isinstance(row, Reject):
            columns["path"][at], columns["reason"][at], columns["detail"][at] = row.path, row.reason, row.detail
        else:
            columns["path"][at] = row.source.path
    return pa.table([to_arrow(columns[field.name], field.type) for field in SCHEMA], SCHEMA)


def _facts(rows: Sequence[_Prepared], recipe: Recipe) -> dict[str, Sequence[Any]]:
    """Return columns for images with equally many channels, computed together: that is several times faster."""
    if not rows:
        return {}
    images = np.stack([row.pixels for row in rows])
    blank = are_blank(images)
    is_grey = images.shape[3] == 1
    either = is_grey and recipe.channels is None
    return {
        "reason": [BLANK if each else "" for each in blank],
        "detail": ["every pixel is the same" if each else "" for each in blank],
        "label": [row.source.label for row in rows],
        "split": [_SPLITS[row.source.split] for row in rows],
        "key": [split_key(row.source.pixels) for row in rows],
        "channels": [0 if each else images.shape[3] for each in blank],
        "width": [row.source.pixels.shape[1] for row in rows],
        "height": [row.source.pixels.shape[0] for row in rows],
        "sha256": digests(images),
        "sha256_rgb": digests(images.repeat(3, axis=3)) if either else [bytes(32)] * len(rows),
        "sums": sums(images),
        "png": encode_pngs(images),
    }


def digests(images: NDArray[np.uint8]) -> list[bytes]:
    """Return the sha256 of each of `[N, H, W, C]` images' pixels, 32 bytes."""
    flat = np.ascontiguousarray(images).reshape(len(images), -1)
    return [hashlib.sha256(row.data).digest() for row in flat]


def sums(images: NDArray[np.uint8]) -> list[list[int]]:
    """Sum values and their squares over each of `[N, H, W, C]` images, exactly, by channel.

    Returns:
        N lists of six numbers: three sums of values, three of squares; a grey image's count for all channels.
    """
    count, height, width, channels = images.shape
    lines = images.reshape(count, height, width * channels)
    # Row by row first: summing along channels that are neighbours in memory is eight times slower.
    values, squares = (
        each.sum(axis=1, dtype=np.uint32).reshape(count, width, channels).sum(axis=1, dtype=np.int64)
        for each in (lines, np.square(lines, dtype=np.uint16))
    )
    repeats = 3 // channels
    both = np.concatenate([values.repeat(repeats, axis=1), squares.repeat(repeats, axis=1)], axis=1)
    listed: list[list[int]] = both.tolist()
    return listed
