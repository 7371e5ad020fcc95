"""Cropping and resizing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from gan.data.pixels.prepare import prepare

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
OPTIONS = {"resolution": 8, "crop": "centre", "filter": "lanczos", "channels": 3}


@settings(max_examples=100, deadline=None)
@given(
    pixels=SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)),
    resolution=st.sampled_from([4, 8, 16]),
    crop=st.sampled_from(["centre", "pad", "stretch"]),
    filter=st.sampled_from(["lanczos", "box", "bicubic", "bilinear"]),
    channels=st.sampled_from([1, 3]),
)
def test_any_image_gets_the_shape_asked_for(pixels, resolution, crop, filter, channels):
    result = prepare(pixels, resolution=resolution, crop=crop, filter=filter, channels=channels)
    assert result.shape == (resolution, resolution, channels)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous


@settings(max_examples=50, deadline=None)
@given(pixels=st.sampled_from([1, 3]).flatmap(lambda channels: arrays(np.uint8, (8, 8, channels))))
def test_an_image_of_the_right_size_is_kept(pixels):
    for crop in ("centre", "pad", "stretch"):
        for given_pixels in (pixels, np.asfortranarray(pixels)):
            result = prepare(given_pixels, resolution=8, crop=crop, filter="lanczos", channels=pixels.shape[2])
            assert np.array_equal(result, pixels)
            assert result.flags.c_contiguous


@settings(max_examples=50, deadline=None)
@given(
    pixels=st.sampled_from([1, 3]).flatmap(lambda channels: arrays(np.uint8, (8, 8, channels))),
    filter=st.sampled_from(["lanczos", "box", "bicubic", "bilinear"]),
)
def test_keeping_an_image_is_what_pillow_would_do(pixels, filter):
    mode = "L" if pixels.shape[2] == 1 else "RGB"
    image = Image.frombytes(mode, (8, 8), pixels.tobytes())
    resized = image.resize((8, 8), Image.Resampling[filter.upper()])
    kept = prepare(pixels, resolution=8, crop="centre", filter=filter, channels=pixels.shape[2])
    assert np.array_equal(np.asarray(resized).reshape(8, 8, -1), kept)


@settings(max_examples=50, deadline=None)
@given(pixels=arrays(np.uint8, (13, 9, 1)))
def test_grey_repeated_before_or_after_is_the_same(pixels):
    before = prepare(pixels.repeat(3, axis=2), **OPTIONS)
    after = prepare(pixels, **OPTIONS | {"channels": 1}).repeat(3, axis=2)
    assert np.array_equal(before, after)


def test_centre_keeps_the_middle_pad_adds_bars_stretch_keeps_all():
    wide = np.zeros((4, 8, 1), np.uint8)
    wide[:, :4] = 100
    wide[:, 4:] = 200
    options = {"resolution": 4, "filter": "box", "channels": 1}
    assert prepare(wide, crop="centre", **options)[0].ravel().tolist() == [100, 100, 200, 200]
    assert prepare(wide, crop="stretch", **options)[3].ravel().tolist() == [100, 100, 200, 200]
    padded = prepare(wide, crop="pad", **options)
    assert (padded[[0, 3]] == 255).all()
    assert padded[1].ravel().tolist() == [100, 100, 200, 200]


@pytest.mark.parametrize("channels", [1, 3])
def test_bars_have_the_background_s_colour_or_its_luma(channels):
    tall = np.full((8, 4, channels), 77, np.uint8)
    options = {"resolution": 8, "filter": "box", "crop": "pad", "background": (10, 200, 30)}
    padded = prepare(tall, channels=3, **options)
    assert (padded[:, [0, 1, 6, 7]] == (10, 200, 30)).all()
    assert (padded[:, 2:6] == 77).all()
    luma = round(0.299 * 10 + 0.587 * 200 + 0.114 * 30)
    assert (prepare(tall, channels=1, **options)[:, [0, 1, 6, 7]] == luma).all()


def test_box_is_the_mean():
    pixels = np.array([[0, 100], [50, 50]], np.uint8).repeat(4, axis=0).repeat(4, axis=1)[..., None]
    halved = prepare(pixels, resolution=4, crop="stretch", filter="box", channels=1)
    assert halved[..., 0].tolist() == [[0, 0, 100, 100]] * 2 + [[50] * 4] * 2


@pytest.mark.parametrize("shape", [(1, 100_000, 1), (100_000, 1, 1)])
def test_a_very_long_image_is_padded_without_the_square_around_it(shape):
    assert prepare(np.full(shape, 9, np.uint8), **OPTIONS | {"crop": "pad"}).shape == (8, 8, 3)
