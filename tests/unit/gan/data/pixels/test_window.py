"""Which values become 0 and 255, and that it is the same for all images in whatever order they come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gan.configuration.window import Window
from gan.data.pixels.window import Windows, find_windows, look_at, read_seen, to_8_bits
from gan.data.records import Deep

AUTO = Window("auto")
WHITE = (255, 255, 255)


def deep(*numbers, dtype=np.uint16, **options):
    return Deep(np.array(numbers, dtype).reshape(1, -1, 1), **options)


def seen(*images, asked=AUTO):
    return [read_seen(look_at(image, with_histogram=asked.kind == "percentiles")) for image in images]


def found(*images, asked=AUTO):
    return find_windows(seen(*images, asked=asked), asked)


@pytest.mark.parametrize(
    ("numbers", "dtype", "group", "window"),
    [
        ((0, 3000), np.uint16, "unsigned", (0, 4095)),
        ((0, 4095), np.uint16, "unsigned", (0, 4095)),
        ((0, 4096), np.uint16, "unsigned", (0, 8191)),
        ((0, 65535), np.uint16, "unsigned", (0, 65535)),
        ((9, 255), np.uint32, "unsigned", (0, 255)),
        ((0, 2**32 - 1), np.uint32, "unsigned", (0, 2**32 - 1)),
        ((0, 1), np.uint16, "unsigned", (0, 1)),
        ((0, 255), np.int32, "signed", (0, 255)),
        ((-1000, 3000), np.int16, "signed", (-1000, 3000)),
        ((0.25, 0.75), np.float32, "float", (0, 1)),
        ((-0.25, 1.0), np.float64, "float", (-1, 1)),
        ((0.5, 1.5), np.float32, "float", (0.5, 1.5)),
        ((-3.0, 0.5), np.float16, "float", (-3, 0.5)),
        ((0, 0), np.uint16, "unsigned", (0, 1)),
        ((5.0, 5.0), np.float32, "float", (5, 10)),
    ],
)
def test_auto_takes_the_depth_of_whole_numbers_and_the_range_of_others(numbers, dtype, group, window):
    assert found(deep(*numbers, dtype=dtype)) == {group: window}


def test_all_images_have_a_say_and_groups_are_apart():
    images = [deep(5), deep(4000), deep(-2, 7, dtype=np.int16), deep(0.5, dtype=np.float32), deep(300)]
    assert found(*images) == {"unsigned": (0, 4095), "signed": (-2, 7), "float": (0, 1)}
    assert found(*images[::-1]) == found(*images)


def test_what_is_no_number_has_no_say():
    image = deep(np.nan, 0.25, np.inf, -np.inf, 9.0, dtype=np.float32)
    largest = float(np.finfo(np.float32).max)  # as maps have it where they have nothing
    assert found(deep(-largest, 0.25, 9.0, dtype=np.float32), deep(-1e300, 5.0, dtype=np.float64)) == {
        "float": (0.25, 9)
    }
    (one,) = seen(image)
    assert (one.low, one.high, one.bits) == (0.25, 9.0, 32)
    assert look_at(deep(np.nan, np.inf, dtype=np.float32), with_histogram=True) == b""
    assert to_8_bits(image, (0.25, 9), WHITE).ravel().tolist() == [0, 0, 255, 0, 255]


@settings(max_examples=200, deadline=None)
@given(
    stacks=st.lists(
        st.sampled_from([np.uint16, np.int16]).flatmap(lambda dtype: arrays(dtype, (3, 4, 1))), min_size=1, max_size=80
    ),
    low=st.integers(0, 60),
    width=st.integers(1, 40),
)
def test_percentiles_are_numpys_of_all_values_together(stacks, low, width):
    asked = Window("percentiles", low, low + width)
    expected = {}
    for dtype, group in ((np.uint16, "unsigned"), (np.int16, "signed")):
        if together := [stack.ravel() for stack in stacks if stack.dtype == dtype]:
            everything = np.concatenate(together)
            first, last = np.percentile(everything, [low, low + width], method="inverted_cdf").tolist()
            expected[group] = (first, last if last > first else first + max(1, abs(first)))
    assert found(*map(Deep, stacks), asked=asked) == expected
    assert found(*map(Deep, stacks[::-1]), asked=asked) == expected


@settings(max_examples=100, deadline=None)
@given(values=arrays(np.float32, (5, 5, 1), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_percentiles_of_floats_are_right_to_sixteen_bits(values):
    ((low, high),) = found(Deep(values), asked=Window("percentiles", 10, 90)).values()
    first, last = np.percentile(values.astype(np.float64), [10, 90], method="inverted_cdf").tolist()
    assert low == pytest.approx(first, rel=2**-15, abs=1e-37)
    assert high > low
    if last != pytest.approx(first, rel=2**-15, abs=1e-37):  # else they are one value to these bits
        assert high == pytest.approx(last, rel=2**-15, abs=1e-37)


@settings(max_examples=100, deadline=None)
@given(values=arrays(np.uint16, (4, 4, 3)))
def test_the_whole_range_of_16_bits_is_divided_by_257(values):
    assert np.array_equal(to_8_bits(Deep(values), (0, 65535), WHITE), np.rint(values / 257))


def test_the_ends_of_a_window_are_black_and_white_or_the_other_way_round():
    image = deep(0, 100, 150, 200, 900)
    assert to_8_bits(image, (100, 200), WHITE).ravel().tolist() == [0, 0, 128, 255, 255]
    inverted = deep(0, 100, 150, 200, 900, inverted=True)
    assert to_8_bits(inverted, (100, 200), WHITE).ravel().tolist() == [255, 255, 127, 0, 0]


def test_opacity_comes_after_the_window():
    alpha = np.array([[0, 255]], np.uint8)
    pixels = to_8_bits(deep(0, 4095, alpha=alpha), (0, 4095), (10, 20, 30))
    assert pixels.tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_whose_window_it_is():
    own = deep(1, 5, window=(2, 3))
    assert Windows(AUTO).of(own) == (2, 3)
    assert Windows(Window("values", 0, 9)).of(own) == (0, 9)
    assert Windows(Window("full")).of(own) == (0, 65535)
    assert Windows(Window("percentiles", 1, 99)).of(own) is None
    assert Windows(AUTO).of(deep(1)) is None
    assert Windows(AUTO).with_found({"unsigned": (0, 7)}).of(deep(1)) == (0, 7)
    assert Windows(AUTO).with_found({"unsigned": (0, 7)}).of(deep(1, dtype=np.float32)) is None
    full = Windows(Window("full"))
    assert full.of(deep(1, dtype=np.int8)) == (-128, 127)
    assert full.of(deep(1, dtype=np.float64)) == (0, 1)
