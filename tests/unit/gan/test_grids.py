"""Grids of samples."""

import numpy as np
import pytest

from gan.data.png import decode_png
from gan.grids import grid_png, image_grid


def test_a_grid_by_hand():
    images = np.arange(1, 4, dtype=np.uint8).reshape(3, 1, 1, 1)
    assert image_grid(images, 2)[..., 0].tolist() == [[1, 2], [3, 0]]
    assert image_grid(images, 3)[..., 0].tolist() == [[1, 2, 3]]
    assert image_grid(images, 4)[..., 0].tolist() == [[1, 2, 3, 0]]
    assert image_grid(images, 2, gap=1)[..., 0].tolist() == [[1, 0, 2], [0, 0, 0], [3, 0, 0]]
    assert image_grid(images[:2], 1, scale=2, gap=1)[..., 0].tolist() == [[1, 1], [1, 1], [0, 0], [2, 2], [2, 2]]


def test_pixels_and_channels_keep_their_places():
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    grid = image_grid(images, 3, gap=2)
    assert grid.shape == (2 * 6 - 2, 3 * 7 - 2, 3)
    assert grid.dtype == np.uint8
    for index, image in enumerate(images):
        top, left = 6 * (index // 3), 7 * (index % 3)
        np.testing.assert_array_equal(grid[top : top + 4, left : left + 5], image)


@pytest.mark.parametrize(("side", "scale"), [(8, 6), (16, 3), (48, 1), (64, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_is_enlarged_to_about_48_pixels_an_image(side, scale, channels):
    images = np.random.default_rng(0).integers(0, 256, (5, side, side, channels), dtype=np.uint8)
    wanted = image_grid(images, 3, scale=scale, gap=2)
    assert wanted.shape[:2] == (2 * side * scale + 2, 3 * side * scale + 4)
    np.testing.assert_array_equal(decode_png(grid_png(images, 3), wanted.shape), wanted)
