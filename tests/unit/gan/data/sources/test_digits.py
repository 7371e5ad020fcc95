"""The digits that come with scikit-learn."""

import numpy as np

from gan.data.records import read_all
from gan.data.sources.digits import DigitsSource


def test_digits_are_scikit_learns_with_their_range_spread_to_255():
    source = DigitsSource()
    images = list(read_all(source))
    assert (source.name, source.kind, len(source), len(images)) == ("digits", "digits", 1797, 1797)
    assert (source.class_names, source.has_split, source.notes) == (tuple("0123456789"), False, ())
    assert images[0].pixels.shape == (8, 8, 1)
    assert images[0].pixels.dtype == np.uint8
    assert {int(value) for image in images for value in np.unique(image.pixels)} == {
        round(value * 255 / 16) for value in range(17)
    }
    assert [image.label for image in images[:12]] == [*range(10), 0, 1]
    assert (images[0].path, images[-1].path) == ("digits/0000", "digits/1796")
    assert {image.split for image in images} == {None}


def test_the_part_reads_the_same_twice_and_says_how_much():
    (part,) = DigitsSource().parts()
    first, second = list(part.read()), list(part.read())
    assert len(part) == len(first)
    assert part.identity() == DigitsSource().parts()[0].identity()
    for before, after in zip(first, second, strict=True):
        assert (before.path, before.label) == (after.path, after.label)
        assert np.array_equal(before.pixels, after.pixels)
