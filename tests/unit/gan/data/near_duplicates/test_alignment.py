"""Two images laid on each other."""

import numpy as np
import pytest

from gan.data.near_duplicates.alignment import correlation


def clouds(seed, side, channels=3):
    """Neighbouring pixels are alike, as photographs' are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (side // 4 + 1, side // 4 + 1, channels))
    image = coarse.repeat(4, axis=0).repeat(4, axis=1)[:side, :side].astype(float)
    for axis in (0, 1):
        image = (image + np.roll(image, 1, axis) + np.roll(image, 2, axis)) / 3
    return image.astype(np.uint8)


@pytest.mark.parametrize(
    ("side", "shift"), [(8, (1, -1)), (32, (-1, 1)), (64, (2, -1)), (256, (11, -9)), (256, (0, 5))]
)
def test_a_shifted_image_is_found_at_its_shift(side, shift):
    whole = clouds(0, side + 32)
    image = whole[16 : 16 + side, 16 : 16 + side]
    moved = whole[16 + shift[0] : 16 + shift[0] + side, 16 + shift[1] : 16 + shift[1] + side]
    # An odd shift of a large image is one by half a pixel of what it is halved to: that may be enough.
    exactly = 1e-9 if side <= 128 else 0.1
    assert correlation(image, moved) == pytest.approx(1.0, abs=exactly)
    assert correlation(moved, image) == pytest.approx(1.0, abs=exactly)


def test_brightness_and_contrast_do_not_count_and_colours_do():
    image = clouds(1, 32)
    assert correlation(image, (image * 0.5 + 20).astype(np.uint8)) > 0.999
    assert correlation(image, image[..., [1, 2, 0]]) < 0.8
    assert correlation(image, clouds(2, 32)) < 0.8


def test_small_parts_that_differ_lower_it_though_the_whole_is_alike():
    # The same from afar, as two pages of text are: at 32 pixels nothing tells them apart.
    rng = np.random.default_rng(0)
    pages = [
        np.where(rng.random((256, 256, 1)) < 0.5, 40, 200).astype(np.uint8) // 2 + clouds(3, 256, 1) // 8
        for _ in (0, 1)
    ]
    assert correlation(*pages) < 0.3
    assert correlation(pages[0], pages[0]) == 1.0


def test_an_image_of_one_colour_is_like_none():
    blank = np.full((16, 16, 3), 7, np.uint8)
    assert correlation(blank, blank) == 0.0
    assert correlation(blank, clouds(0, 16)) == 0.0
