"""A part of an array of images: some of them, read with one call anywhere."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gan.data.files.blob import MAX_FILE_BYTES, Blob, UnreadableError, read_blob
from gan.data.records import OUT_OF_RANGE, Deep, Reject, SourceImage, SplitName, Tally, tally
from gan.data.sources.arrays import grey_images, runs
from gan.data.sources.stacks.values import Reading

_LARGEST_SIDE = 16_384


@dataclass(frozen=True)
class Layout:
    """How one image of an array is stored.

    Attributes:
        shape: its sizes in the file.
        planar: whether channels come first.
    """

    shape: tuple[int, ...]
    planar: bool = False


@dataclass(frozen=True)
class Stack:
    """Images of an array.

    Attributes:
        path: printable name of the array.
        file: its values.
        first: number of the part's first image in the array.
        dtype: what values are stored as.
        layout: how an image is stored.
        values: what they are.
        labels: for each image of the part an index into the class names, -1 for none, or a text that is no class.
        split: which split the array is.
    """

    path: str
    file: Blob
    first: int
    dtype: str
    layout: Layout
    values: Reading
    labels: tuple[int | str, ...]
    split: SplitName | None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def identity(self) -> str:
        """Return all of the part's fields; the file's size and age are among them."""
        return repr(self)

    def read(self) -> Iterator[SourceImage | Reject]:
        """Read the images with one call, and yield one at a time."""
        size = math.prod(self.layout.shape) * np.dtype(self.dtype).itemsize
        try:
            data = read_blob(Blob(self.file.file, len(self) * size, self.file.offset + self.first * size))
        except UnreadableError as error:
            yield from (Reject(self._name(index), error.reason, error.detail) for index in range(len(self)))
            return
        values = np.frombuffer(data, self.dtype).reshape(len(self), *self.layout.shape)
        if self.layout.planar:
            values = values.transpose(0, 2, 3, 1)
        pixels = self.values.of(values)
        images = grey_images(pixels if pixels.ndim == 4 else pixels[..., np.newaxis])
        for index, (label, image) in enumerate(zip(self.labels, images, strict=True)):
            if isinstance(label, str):
                yield Reject(self._name(index), OUT_OF_RANGE, label[:80])
            else:
                yield SourceImage(self._name(index), label, Deep(image) if self.values.deep else image, self.split)

    def tally(self) -> Tally:
        """Count images by their labels."""
        return tally((None if isinstance(label, str) else label for label in self.labels), self.split)

    def _name(self, index: int) -> str:
        return f"{self.path}/{self.first + index}"


def find_layout(shape: tuple[int, ...]) -> Layout:
    """Tell how images lie in an array.

    Args:
        shape: [N, H, W], [N, H, W, C] or [N, C, H, W] with C 1 or 3, or [N, H * W] of grey squares.

    Raises:
        ValueError: in none of these ways, or in several; the message says so.
    """
    layouts = list(_layouts(shape))
    if len(layouts) > 1:
        raise ValueError(
            "which may have its channels first or last: give it as [N, H, W, C] without doubt, or as images"
        )
    if (
        not layouts
        or min(shape) < 1
        or max(shape[1:]) > _LARGEST_SIDE
        or math.prod(layouts[0].shape) * 8 > MAX_FILE_BYTES
    ):
        raise ValueError("which is no array of images: give [N, H, W] or [N, H, W, C] with 1 or 3 channels")
    return layouts[0]


def _layouts(shape: tuple[int, ...]) -> Iterator[Layout]:
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        if side * side == shape[1] > 1:
            yield Layout((side, side))
        elif 3 * math.isqrt(shape[1] // 3) ** 2 == shape[1]:
            yield from (Layout(shape[1:], planar) for planar in (False, True))
    elif len(shape) == 3 and shape[2] > 4:  # else it is one image
        yield Layout(shape[1:])
    elif len(shape) == 4:
        yield from (Layout(shape[1:], planar) for planar in (False, True) if shape[1 if planar else 3] in {1, 3})


def cut_stack(
    path: str,
    file: Blob,
    dtype: str,
    layout: Layout,
    values: Reading,
    labels: list[int | str],
    split: SplitName | None,
    first: int = 0,
) -> Iterator[Stack]:
    """Cut images of an array into parts: as many as there are labels, from number `first` on."""
    size = math.prod(layout.shape) * np.dtype(dtype).itemsize
    for run in runs(len(labels), size):
        some = tuple(labels[run.start : run.stop])
        yield Stack(path, file, first + run.start, dtype, layout, values, some, split)
