"""What files that hold many images as raw numbers have in common: MNIST's IDX, CIFAR's binary files, NumPy's arrays."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry
from gan.data.files.unpack import head_of, is_compressed, own_file, unpack
from gan.data.records import OUT_OF_RANGE, PART_BYTES, PART_IMAGES, Reject, SourceImage, SplitName, Tally, tally
from gan.errors import DatasetError


@dataclass(frozen=True)
class Records:
    """A part of a file of equal records, each a few label bytes before the pixels.

    Attributes:
        path: printable name of the file.
        file: where its records lie, unpacked.
        first: number of the part's first record in the file.
        count: records in the part.
        offset: bytes in the file before its first record.
        label_bytes: bytes before the pixels of each record; the last of them is the label.
        shape: of an image: (H, W, C), stored by row and pixel, or by channel.
        planar: stored by channel.
        classes: labels are below it.
        split: which split the file is.
        labels: labels by record of the part, where they lie in another file.
        by_column: grey images are stored column by column.
    """

    path: str
    file: Blob
    first: int
    count: int
    offset: int
    label_bytes: int
    shape: tuple[int, int, int]
    planar: bool
    classes: int
    split: SplitName | None
    labels: tuple[int, ...] = ()
    by_column: bool = False

    def __len__(self) -> int:
        """Return the number of records."""
        return self.count

    def identity(self) -> str:
        """Return all of the part's fields; the file's size and age are among them."""
        return repr(self)

    def read(self) -> Iterator[SourceImage | Reject]:
        """Read the records with one call, and yield one at a time."""
        height, width, channels = self.shape
        try:
            rows = self._rows()
        except UnreadableError as error:
            yield from (Reject(self._name(index), error.reason, error.detail) for index in range(self.count))
            return
        pixels = rows[:, self.label_bytes :]
        if self.planar:
            pixels = pixels.reshape(-1, channels, height * width).transpose(0, 2, 1)
        if self.by_column:
            pixels = pixels.reshape(-1, width, height).transpose(0, 2, 1)
        images = grey_images(np.ascontiguousarray(pixels).reshape(-1, *self.shape))
        labels = self.labels or tuple(rows[:, self.label_bytes - 1].tolist())
        for index, (label, image) in enumerate(zip(labels, images, strict=True)):
            if label >= self.classes:
                yield Reject(self._name(index), OUT_OF_RANGE, f"{label} with {self.classes} classes")
            else:
                yield SourceImage(self._name(index), label, image, self.split)

    def tally(self) -> Tally:
        """Count images by their labels."""
        try:
            labels = self.labels or tuple(self._rows()[:, self.label_bytes - 1].tolist())
        except UnreadableError as error:
            return Counter(), Counter({error.reason: self.count})
        return tally((None if label >= self.classes else label for label in labels), self.split)

    def _rows(self) -> NDArray[np.uint8]:
        height, width, channels = self.shape
        stride = self.label_bytes + height * width * channels
        blob = Blob(self.file.file, self.count * stride, self.offset + self.first * stride)
        return np.frombuffer(read_blob(blob), np.uint8).reshape(self.count, stride)

    def _name(self, index: int) -> str:
        return f"{self.path}/{self.first + index}"


def grey_images(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield each of `[N, H, W, C]` images, C 1 or 3, with one channel where all are the same."""
    if images.shape[3] == 1:
        yield from images
        return
    equal = (images[..., :1] == images).reshape(len(images), -1).all(axis=1)
    for image, grey in zip(images, equal.tolist(), strict=True):
        yield np.ascontiguousarray(image[..., :1]) if grey else image


def runs(count: int, image_bytes: int) -> Iterator[range]:
    """Cut `count` records into parts."""
    step = max(1, min(PART_IMAGES, PART_BYTES // image_bytes))
    return (range(start, min(start + step, count)) for start in range(0, count, step))


def plain_file(entry: Entry, where: str, scratch: Path) -> Path:
    """Return a file with an entry's bytes, unpacked where they are compressed.

    Raises:
        DatasetError: they cannot be read or unpacked.
    """
    name = f"{entry.path} in {where}"
    if not head_of(entry.blob):
        raise DatasetError(f"{name} is empty or cannot be read: fetch it again")
    file = own_file(entry.blob, name, scratch)
    return unpack(file, name, scratch) if is_compressed(head_of(entry.blob)) else file
