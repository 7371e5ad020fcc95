"""PNG files of 16 bits a sample, and those whose metadata are spoilt."""

import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.files.blob import UnreadableError
from gan.data.pixels.decode import decode_image, decode_images
from gan.data.pixels.png import encode_png, png_chunk
from gan.data.records import Deep


def decoded(data):
    (image,) = decode_images(data)
    return image


@pytest.mark.parametrize("channels", [1, 3])
def test_values_come_as_they_are(png16, values, channels):
    pixels = values(np.uint16, (6, 8, channels))
    image = decoded(png16(pixels))
    assert np.array_equal(image.values, pixels)
    assert (image.alpha, image.inverted, image.window) == (None, False, None)


def test_equal_channels_are_one(png16, values):
    grey = values(np.uint16)
    assert np.array_equal(decoded(png16(grey.repeat(3, axis=2))).values, grey)


@pytest.mark.parametrize("channels", [2, 4])
def test_opacity_is_apart_and_of_8_bits(png16, values, channels):
    pixels = values(np.uint16, (6, 8, channels))
    image = decoded(png16(pixels))
    assert np.array_equal(image.values, pixels[..., :-1])
    assert np.array_equal(image.alpha, np.rint(pixels[..., -1] / 257))


def test_one_value_may_be_transparent(png16, values):
    for channels in (1, 3):
        pixels = values(np.uint16, (6, 8, channels))
        image = decoded(png16(pixels, png_chunk(b"tRNS", struct.pack(f">{channels}H", *pixels[2, 3].tolist()))))
        assert np.array_equal(image.values, pixels)
        expected = np.full((6, 8), 255)
        expected[2, 3] = 0
        assert np.array_equal(image.alpha, expected)


def test_orientation_is_applied(png16, values):
    pixels = values(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = decoded(png16(pixels, png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))))
    assert np.array_equal(image.values[..., 0], np.rot90(pixels[..., 0], -1))


def test_alone_it_is_scaled_by_all_that_16_bits_can_hold(png16):
    pixels = np.array([[[0], [257], [32768], [65535]]], np.uint16)
    assert decode_image(png16(pixels)).ravel().tolist() == [0, 1, 128, 255]


def test_what_is_spoilt_is_said(png16, values, monkeypatch, capfd):
    whole = png16(values(np.uint16, (60, 80, 1)))
    with pytest.raises(UnreadableError, match="truncated image"):
        decoded(whole[:-20])
    with pytest.raises(UnreadableError, match="broken image"):
        decoded(whole[:80] + b"?" + whole[81:])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4799)
    with pytest.raises(UnreadableError, match="too large"):
        decoded(whole)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [b"tEXt", b"tIME", b"pHYs", b"eXIf", b"gAMA"])
@pytest.mark.parametrize("is_deep", [False, True])
def test_spoilt_metadata_are_left_out(png16, values, name, is_deep):
    pixels = values(np.uint16 if is_deep else np.uint8)
    chunk = png_chunk(name, b"\0" * 9)[:-1] + b"?"
    whole = encode_png(pixels) if not is_deep else png16(pixels)
    image = decoded(whole[:33] + chunk + whole[33:])
    assert np.array_equal(image.values if is_deep else image, pixels)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_gives_an_image_or_a_reason_and_no_word_on_any_stream(data, png16, values):
    whole = bytearray(png16(values(np.uint16, (5, 4, 4)), png_chunk(b"tEXt", b"a\0b")))
    for place, value in data.draw(st.lists(st.tuples(st.integers(8, len(whole) - 1), st.integers(0, 255)), max_size=5)):
        whole[place] = value
    try:
        image = decoded(bytes(whole[: data.draw(st.integers(30, len(whole)))]))
    except UnreadableError:
        return
    assert isinstance(image, Deep) or image.dtype == np.uint8


def test_pillow_agrees_on_grey(png16, values):
    pixels = values(np.uint16)
    assert np.array_equal(np.asarray(Image.open(BytesIO(png16(pixels)))), pixels[..., 0])
