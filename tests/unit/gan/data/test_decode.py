"""Image files of every mode to uint8, and random bytes to a reason."""

import contextlib
import io
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.decode import FORMATS, UnreadableImageError, read_image

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def saved(path, image, **options):
    image.save(path, **options)
    return read_image(path)


def encoded(name):
    file = io.BytesIO()
    Image.fromarray(np.kron(RGB, np.ones((4, 4, 1), np.uint8))).save(file, name)
    return file.getvalue()


WHOLE = {name: encoded(name) for name in FORMATS}


def test_grey_and_colour_keep_their_pixels(tmp_path):
    assert np.array_equal(saved(tmp_path / "a.png", Image.fromarray(GREY)), GREY[..., None])
    assert np.array_equal(saved(tmp_path / "b.png", Image.fromarray(RGB)), RGB)


def test_a_colour_image_with_equal_channels_is_grey(tmp_path):
    pixels = saved(tmp_path / "a.png", Image.fromarray(np.stack([GREY] * 3, axis=2)))
    assert np.array_equal(pixels, GREY[..., None])


def test_transparency_is_laid_over_white(tmp_path):
    rgba = np.dstack([RGB, np.zeros((6, 8), np.uint8)])
    rgba[0, 0, 3] = 255
    pixels = saved(tmp_path / "a.png", Image.fromarray(rgba))
    assert np.array_equal(pixels[0, 0], RGB[0, 0])
    assert (pixels[1:] == 255).all()
    la = Image.fromarray(GREY).convert("LA")
    la.putalpha(0)
    assert (saved(tmp_path / "b.png", la) == 255).all()


def test_a_palette_becomes_its_colours_and_its_transparent_entry_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert saved(tmp_path / "a.gif", image).tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert saved(tmp_path / "b.png", image, transparency=1).tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bits_are_scaled(tmp_path, suffix):
    image = Image.fromarray(np.array([[0, 257, 32768, 65535]], dtype=np.uint16))
    assert saved(tmp_path / f"a.{suffix}", image).ravel().tolist() == [0, 1, 128, 255]


def test_cmyk_and_bilevel_are_converted(tmp_path):
    assert saved(tmp_path / "a.tiff", Image.new("CMYK", (2, 2), (0, 255, 255, 0))).tolist()[0][0] == [255, 0, 0]
    assert saved(tmp_path / "b.png", Image.new("1", (2, 2), 1)).tolist() == [[[255], [255]]] * 2


def test_floating_point_is_refused(tmp_path):
    with pytest.raises(UnreadableImageError, match="floating point"):
        saved(tmp_path / "a.tiff", Image.new("F", (2, 2), 0.5))


def test_orientation_is_applied(tmp_path):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    assert np.array_equal(saved(tmp_path / "a.png", image, exif=exif), np.rot90(RGB, -1))


def test_an_image_beyond_pillows_limit_is_refused_and_not_decoded(tmp_path, monkeypatch):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)  # 48 only warns in Pillow: from 81 it raises
    with pytest.raises(UnreadableImageError, match="too large"):
        read_image(tmp_path / "a.png")


def test_other_formats_stay_closed_whatever_the_name(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.ppm")
    (tmp_path / "a.ppm").rename(tmp_path / "a.png")
    with pytest.raises(UnreadableImageError, match="not an image"):
        read_image(tmp_path / "a.png")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_pixels_or_a_reason_and_nothing_else(tmp_path, data):
    whole = WHOLE[data.draw(st.sampled_from(FORMATS))]
    cut = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole)), st.integers(0, 255)), max_size=6)):
        if place < len(cut):
            cut[place] = value
    (tmp_path / "a.png").write_bytes(bytes(cut) or data.draw(st.binary(max_size=64)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(UnreadableImageError):
            pixels = read_image(tmp_path / "a.png")
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
            assert pixels.shape[2] in (1, 3)
