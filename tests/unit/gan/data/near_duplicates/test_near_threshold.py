"""The distance from which on pictures are too near falls with their number, and repeats do not lower it."""

import numpy as np
import pytest

from gan.data.near_duplicates.fingerprints import Fingerprints
from gan.data.near_duplicates.near_threshold import near_threshold, nearest_distances


@pytest.fixture(scope="module")
def prints(digits):
    return Fingerprints.of(digits[0])


def test_the_threshold_falls_with_the_number_of_images(prints):
    found = [near_threshold(prints, count) for count in (100, 1797, 10_000, 1_000_000)]
    assert found[0] == found[1] > found[2] > found[3] > 0
    assert near_threshold(prints, 1797, level=0.0001) < found[1] < near_threshold(prints, 1797, level=0.01)


def test_repeats_among_real_images_do_not_lower_it(prints):
    rows = np.concatenate([np.arange(1797), np.arange(3)])  # 0.33 % of 1,800
    assert near_threshold(prints.take(rows), 1797) == pytest.approx(near_threshold(prints, 1797), rel=0.2)


def test_few_or_equal_real_images_find_exact_duplicates_alone(prints):
    assert near_threshold(prints.take(np.arange(199)), 1000) == 0.0
    assert near_threshold(prints.take(np.repeat(np.arange(200), 2)), 1000) == 0.0


def test_nearest_distances_are_to_others():
    pictures = np.zeros((3, 6, 6), np.uint8)
    pictures[1:, 2, 2] = 32, 96
    found = nearest_distances(pictures)
    # a pixel of 32 among 16, less the mean: 32 sqrt(1/16 - 1/256)
    unit = np.sqrt(1 / 16 - 1 / 256)
    assert found == pytest.approx([32 * unit, 32 * unit, 64 * unit], rel=1e-4)


def test_wrong_input(prints):
    for count, level in ((0, 0.1), (1, 0.0), (1, 0.2)):
        with pytest.raises(ValueError, match="level"):
            near_threshold(prints, count, level=level)
