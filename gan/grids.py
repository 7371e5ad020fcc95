"""Sample grids: where people would rather look than read."""

import numpy as np

from gan.data.png import encode_png

ROWS = COLUMNS = 10


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
    scale = max(1, 48 // images.shape[1])
    return encode_png(np.ascontiguousarray(image_grid(images, columns, scale=scale, gap=2)))


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
