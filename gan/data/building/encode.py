"""One part of a source to a table of finished images: decoded, judged, prepared, hashed and packed as PNG."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gan.data.building.judge import BLANK, NO_NUMBER, are_blank, refusal
from gan.data.building.part_store import keep_part
from gan.data.building.recipe import Recipe
from gan.data.building.split import split_key
from gan.data.near_duplicates.fingerprints import pictures_of
from gan.data.pixels.formats import installed
from gan.data.pixels.png import encode_pngs
from gan.data.pixels.prepare import prepare
from gan.data.pixels.window import look_at, to_8_bits
from gan.data.records import Deep, Part, Reject, SourceImage
from gan.data.store.arrow import to_arrow

_FORMAT = 4  # of the table; part of every key under which one is kept
_DIGEST = pa.binary(32)
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("reason", pa.string()),  # empty: an image, and the columns below are meant
        ("detail", pa.string()),
        ("label", pa.int32()),
        ("split", pa.int8()),  # the source's own: 0 train, 1 test, -1 none
        ("key", pa.uint64()),  # of the source pixels, to hold it out by
        ("channels", pa.int8()),  # 0: no image, -1: one that waits until its window is known
        ("width", pa.int32()),  # of the source image
        ("height", pa.int32()),
        ("sha256", _DIGEST),  # of the prepared pixels
        ("sha256_rgb", _DIGEST),  # of the same as RGB, where they are grey and may have to be
        ("sums", pa.list_(pa.int64(), 6)),  # of values and their squares, by channel
        ("png", pa.binary()),
        ("picture", pa.binary()),  # a small grey one, where near duplicates are looked for
        ("seen", pa.binary()),  # values of an image of more than 8 bits, as `gan.data.pixels.window` packs them
    ]
)
# What a column holds where there is no image: no nulls, so that columns are plain memory.
_NOTHING: dict[str, Any] = dict.fromkeys(("path", "reason", "detail"), "")
_NOTHING |= dict.fromkeys(("label", "split", "key", "channels", "width", "height"), 0)
_NOTHING |= {"sha256": bytes(32), "sha256_rgb": bytes(32), "sums": [0] * 6, "png": b"", "picture": b"", "seen": b""}
WAITING = -1
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
        """Return the name of the result: equal keys, equal results.

        Keys of the same job with windows that were not known before have the same first half, and a dash behind it.
        """
        recipe, windows = self.recipe.without_found_windows(), self.recipe.windows.known
        all_else = (_FORMAT, installed(), recipe, self.part.identity())
        return "-".join(_short_digest(each) for each in (all_else, windows) if each)


def _short_digest(values: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(values).encode("utf-8", "surrogateescape")).hexdigest()[:32]


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
    assert len(rows) >= len(job.part)
    table = _table(rows, job.recipe)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_table(table)
    return sink.getvalue()


class _Prepared(NamedTuple):
    """An image without the source's pixels, of which there may be much more; None as long as its window is unknown."""

    path: str
    label: int
    split: int
    key: int
    width: int
    height: int
    seen: bytes
    pixels: NDArray[np.uint8] | None


def _prepared(record: SourceImage | Reject, recipe: Recipe) -> _Prepared | Reject:
    if isinstance(record, Reject):
        return record
    if refused := refusal(record, recipe):
        return refused
    source, seen = record.pixels, b""
    height, width, _ = source.shape
    # By the values themselves, so that no window moves an image into another split.
    key = split_key(source.values if isinstance(source, Deep) else source)
    facts = (record.path, record.label, _SPLITS[record.split], key, width, height)
    if isinstance(source, Deep):
        window = recipe.windows.of(source)
        seen = look_at(source, with_histogram=window is None and recipe.windows.asked.kind == "percentiles")
        if not seen:
            return Reject(record.path, NO_NUMBER)
        if window is None:
            return _Prepared(*facts, seen, None)
        source = to_8_bits(source, window, recipe.background)
    pixels = prepare(
        source,
        resolution=recipe.resolution,
        crop=recipe.crop,
        filter=recipe.filter,
        # Grey and colour are told apart once all images are known; bars in a colour make any image coloured.
        channels=recipe.channels or (3 if recipe.colours_bars and height != width else source.shape[2]),
        background=recipe.background,
    )
    return _Prepared(*facts, seen, pixels)


def _table(rows: Sequence[_Prepared | Reject], recipe: Recipe) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [_NOTHING[name]] * len(rows) for name in SCHEMA.names}
    shown: dict[int, list[int]] = {1: [], 3: []}
    for at, row in enumerate(rows):
        columns["path"][at] = row.path
        if isinstance(row, Reject):
            columns["reason"][at], columns["detail"][at] = row.reason, row.detail
        elif row.pixels is None:
            columns["channels"][at], columns["seen"][at] = WAITING, row.seen
        else:
            shown[row.pixels.shape[2]].append(at)
    for found in shown.values():
        for name, values in _facts([rows[at] for at in found], recipe).items():  # type: ignore[misc]
            column = columns[name]
            for at, value in zip(found, values, strict=True):
                column[at] = value
    return pa.table([to_arrow(columns[field.name], field.type) for field in SCHEMA], SCHEMA)


def _facts(rows: Sequence[_Prepared], recipe: Recipe) -> dict[str, Sequence[Any]]:
    """Return columns for images with equally many channels, computed together: that is several times faster."""
    if not rows:
        return {}
    images = np.stack([row.pixels for row in rows])  # type: ignore[misc]
    blank = are_blank(images)
    is_grey = images.shape[3] == 1
    either = is_grey and recipe.channels is None
    return {
        "reason": [BLANK if each else "" for each in blank],
        "detail": ["every pixel is the same" if each else "" for each in blank],
        "label": [row.label for row in rows],
        "split": [row.split for row in rows],
        "key": [row.key for row in rows],
        "channels": [0 if each else images.shape[3] for each in blank],
        "width": [row.width for row in rows],
        "height": [row.height for row in rows],
        "sha256": digests(images),
        "sha256_rgb": digests(images.repeat(3, axis=3)) if either else [bytes(32)] * len(rows),
        "sums": sums(images),
        "png": encode_pngs(images),
        "picture": [each.tobytes() for each in pictures_of(images)] if recipe.pictures else [b""] * len(rows),
        "seen": [row.seen for row in rows],
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
