"""A shard of a release before it is written: its images as they will lie in it, and what stands beside each."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gan.data.pixels.png import decode_png, encode_pngs
from gan.errors import DatasetError
from gan.release.rows import Rows
from gan.text.shown import reason_of

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Marks:
    """What says of images and files that they are synthetic, outside the pixels.

    Attributes:
        chunks: whole PNG chunks that each image carries behind its header.
        metadata: texts by key, for a shard's own metadata.
        fields: facts by key, for what stands beside each image.
        stated: what the manifest says of them; empty where there are none.
    """

    chunks: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)
    stated: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Shard:
    """Some rows of a release that follow each other.

    Attributes:
        index: of this shard.
        count: of all shards.
        shape: (H, W, C) of each image.
        class_names: by label; empty without classes.
        payloads: n images as the format keeps them, see `Format.payloads`.
        digests: n sha256 of the pixels.
        seeds: [n] int64.
        labels: [n] int64, -1 for none.
        marks: that the release bears.
    """

    index: int
    count: int
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    payloads: Sequence[bytes]
    digests: Sequence[bytes]
    seeds: Rows
    labels: Rows
    marks: Marks = Marks()


@dataclass(frozen=True)
class Row:
    """An image that lies in a shard.

    Attributes:
        payload: as `Format.payloads` made it.
        seed: that it was drawn from.
        label: its class, -1 for none.
        digest: sha256 of its pixels in hexadecimal, where the format keeps it.
        file: its own, where each image has one.
    """

    payload: bytes
    seed: int
    label: int
    digest: str | None = None
    file: Path | None = None


class Format(Protocol):
    """How a release is written; a module of `gan.release.formats`.

    Attributes:
        INDEX_FILE: path of one more file, which holds lines about the images of all shards; None: there is none.
        INDEX_HEADER: its first line.
    """

    INDEX_FILE: str | None
    INDEX_HEADER: bytes

    def payloads(self, images: Images, marks: Marks) -> list[bytes]:
        """Encode images [n, H, W, C]; called from several threads at once."""

    def pixels(self, payload: bytes, shape: tuple[int, int, int]) -> Images:
        """Decode one image to [H, W, C] uint8, or raise ValueError."""

    def files(self, shard: Shard) -> Iterator[tuple[str, bytes]]:
        """Yield path and content of each file of a shard; the same whenever and wherever it is made."""

    def index_lines(self, shard: Shard) -> bytes:
        """Return what the index says of a shard's images."""

    def stored(self, folder: Path, files: Iterable[str]) -> Iterator[bytes]:
        """Yield the payloads of one shard from the files that it was laid into, or raise DatasetError."""

    def shards(self, folder: Path) -> list[Path]:
        """Return the files that name all images of a release, in order, or raise DatasetError."""

    def rows(self, path: Path) -> Iterator[Row]:
        """Yield the images that one of these files names, in order, or raise DatasetError."""


def png_payloads(images: Images, marks: Marks) -> list[bytes]:
    """`Format.payloads` as PNG files with their marks."""
    return encode_pngs(images, marks.chunks)


def png_pixels(payload: bytes, shape: tuple[int, int, int]) -> Images:
    """`Format.pixels` of a PNG file."""
    return decode_png(payload, shape)


def no_lines(shard: Shard) -> bytes:
    """`Format.index_lines` where there is no index."""
    return b""


def broken(path: Path, why: object) -> DatasetError:
    """Return the sentence about a file of a release that is not as it was written."""
    return DatasetError(f"{path} is broken ({reason_of(why)}): restore it with `dvc pull`, or generate it again")


def pixel_digests(images: Iterable[Images]) -> list[bytes]:
    """Return the sha256 of each image's pixels, by which shards tell images apart."""
    return [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images]
