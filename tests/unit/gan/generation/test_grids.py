"""Grids of samples."""

import numpy as np
import pytest

from gan.data.pixels.png import decode_png
from gan.generation.grids import film_strip, grid_png, image_grid, read_grid_png


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


@pytest.mark.parametrize(("side", "channels", "count"), [(8, 1, 20), (16, 3, 15), (48, 1, 1), (64, 3, 12)])
def test_a_grid_gives_its_images_back(side, channels, count):
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    np.testing.assert_array_equal(read_grid_png(grid_png(images, 5), images.shape, 5), images)


def test_a_grid_of_another_shape_or_cut_short_is_refused():
    data = grid_png(np.zeros((20, 8, 8, 1), np.uint8), 10)
    with pytest.raises(ValueError, match="a PNG image of 498x98 pixels where 498x148 were expected"):
        read_grid_png(data, (30, 8, 8, 1), 10)
    with pytest.raises(ValueError, match="a broken PNG image"):
        read_grid_png(data[:-40], (20, 8, 8, 1), 10)


@pytest.mark.parametrize(
    ("rows", "columns", "shown"),
    [
        (10, 10, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (3, 10, [0, 1, 2, 10, 11, 12, 20, 21, 22]),
        (1, 10, list(range(10))),
        (4, 2, [0, 2, 4, 6]),
    ],
)
def test_a_film_strip_has_the_same_images_of_each_class_in_every_row(rows, columns, shown):
    count = rows * columns
    snapshots = [np.arange(start, start + count, dtype=np.uint8).reshape(count, 1, 1, 1) for start in (0, 100)]
    film = film_strip(snapshots, columns)
    assert film.shape == (2, len(shown), 1, 1, 1)
    assert film[0].ravel().tolist() == shown
    assert film[1].ravel().tolist() == [100 + each for each in shown]
