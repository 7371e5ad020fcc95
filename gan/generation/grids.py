"""Sample grids: where people would rather look than read."""

from collections.abc import Sequence

import numpy as np

from gan.data.pixels.png import decode_png, encode_png

ROWS = COLUMNS = 10
_GAP = 2


def image_grid(images: np.ndarray, columns: int, *, scale: int = 1, gap: int = 0) -> np.ndarray:
    """Arrange images in rows.

    Args:
        images: [N, H, W, C] uint8.
        columns: images in a row; the last row is filled up with black.
        scale: each pixel becomes scale x scale pixels.
        gap: black pixels between images.

    Returns:
        [rows * H', columns * W', C] uint8.
    """
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    images = np.pad(images, ((0, -len(images) % columns), (0, gap), (0, gap), (0, 0)))
    rows = len(images) // columns
    _, height, width, channels = images.shape
    grid = images.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * height, columns * width, channels)[: rows * height - gap, : columns * width - gap]


def grid_png(images: np.ndarray, columns: int) -> bytes:
    """Encode a grid of small images, enlarged to about 48 pixels a side, as a PNG file."""
    grid = image_grid(images, columns, scale=_scale(images.shape[1]), gap=_GAP)
    return encode_png(np.ascontiguousarray(grid))


def read_grid_png(data: bytes, shape: tuple[int, int, int, int], columns: int) -> np.ndarray:
    """Take the images out of a file that `grid_png` made.

    Args:
        data: the file.
        shape: (N, H, W, C) of the images.
        columns: images in a row.

    Returns:
        `shape` uint8.

    Raises:
        ValueError: not a PNG, broken, or of another shape.
    """
    count, height, width, channels = shape
    scale, rows = _scale(height), -(-count // columns)
    down, right = height * scale + _GAP, width * scale + _GAP  # from one image to the next
    grid = decode_png(data, (rows * down - _GAP, columns * right - _GAP, channels))
    padded = np.pad(grid, ((0, _GAP), (0, _GAP), (0, 0)))
    images = padded.reshape(rows, down, columns, right, channels).transpose(0, 2, 1, 3, 4)
    return images[:, :, : height * scale : scale, : width * scale : scale].reshape(-1, height, width, channels)[:count]


def film_strip(snapshots: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Choose what shows how a training went: the same few images of each snapshot, a row for each.

    Args:
        snapshots: one or more [N, H, W, C] uint8, all from the same seeds; N is a multiple of `columns`, and each row
            of a snapshot is a class or, where there are none, more of the same.
        columns: images in a row of a snapshot.

    Returns:
        [len(snapshots), k, H, W, C] uint8, with as many images of each row as `columns` has room for, one at least.
    """
    rows = len(snapshots[0]) // columns
    each = max(1, columns // rows)
    stacked = np.stack(snapshots).reshape(len(snapshots), rows, columns, *snapshots[0].shape[1:])
    return stacked[:, :, :each].reshape(len(snapshots), rows * each, *snapshots[0].shape[1:])


def class_grid_png(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Encode up to 10 images of each of the first 10 labels, a row per label; a short row ends in black.

    Args:
        images: [N, H, W, C] uint8.
        labels: [N] int64; where all are equal, the first 100 images fill the rows.
    """
    present = np.unique(labels)[:ROWS]
    if len(present) == 1:
        return grid_png(images[: ROWS * COLUMNS], COLUMNS)
    rows = [images[np.flatnonzero(labels == label)[:COLUMNS]] for label in present]
    padded = [np.pad(row, ((0, COLUMNS - len(row)), (0, 0), (0, 0), (0, 0))) for row in rows]
    return grid_png(np.concatenate(padded), COLUMNS)


def _scale(side: int) -> int:
    return max(1, 48 // side)
