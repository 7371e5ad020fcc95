"""Image files of every mode to uint8, and random bytes to a reason."""

import contextlib
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from gan.data.files.blob import UnreadableError
from gan.data.pixels import decode
from gan.data.pixels.decode import decode_image, decode_images, is_image_name
from gan.data.pixels.formats import FORMATS, SUFFIXES
from gan.data.pixels.read_png import plain_png

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]))


def encoded(image, name="PNG", **options):
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def decoded(image, name="PNG", background=(255, 255, 255), **options):
    return decode_image(encoded(image, name, **options), background)


def picture(pixels):
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


WHOLE = {name: encoded(Image.fromarray(np.kron(RGB, np.ones((4, 4, 1), np.uint8))), name) for name in FORMATS}


def test_grey_and_colour_keep_their_pixels():
    assert np.array_equal(decoded(Image.fromarray(GREY)), GREY[..., None])
    assert np.array_equal(decoded(Image.fromarray(RGB)), RGB)


def test_a_colour_image_with_equal_channels_is_grey():
    for name in ("PNG", "BMP"):
        assert np.array_equal(decoded(Image.fromarray(np.stack([GREY] * 3, axis=2)), name), GREY[..., None])
    last = np.stack([GREY] * 3, axis=2)
    last[-1, -1, 2] += 1
    assert decoded(Image.fromarray(last)).shape == (6, 8, 3)


@pytest.mark.parametrize("background", [(255, 255, 255), (10, 20, 30)])
def test_transparency_is_laid_over_the_background(background):
    rgba = np.dstack([RGB, np.zeros((6, 8), np.uint8)])
    rgba[0, 0, 3] = 255
    pixels = decoded(Image.fromarray(rgba), background=background)
    assert np.array_equal(pixels[0, 0], RGB[0, 0])
    assert (pixels[1:] == background).all()
    half = decoded(Image.new("LA", (2, 2), (0, 128)), background=background)
    grey = len(set(background)) == 1
    assert half[0, 0].tolist() == [round(value * 127 / 255) for value in background[: 1 if grey else 3]]


def test_a_palette_becomes_its_colours_and_its_transparent_entry_the_background():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert decoded(image, "GIF").tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert decoded(image, transparency=1).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert decoded(image, transparency=1, background=(1, 2, 3)).tolist() == [[[10, 20, 30], [1, 2, 3]]]


def test_one_colour_of_a_plain_png_may_be_transparent():
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = (9, 8, 7)
    found = decoded(Image.fromarray(pixels), transparency=(9, 8, 7), background=(1, 2, 3))
    assert found.tolist() == [[[1, 2, 3]] * 2, [[0, 0, 0]] * 2]


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_16_bits_are_scaled(name):
    image = Image.fromarray(np.array([[0, 257, 32768, 65535]], dtype=np.uint16))
    assert decoded(image, name).ravel().tolist() == [0, 1, 128, 255]


def test_what_pillow_alone_reads_may_have_16_bits_too(monkeypatch):
    monkeypatch.setattr(decode, "FORMATS", ("PPM",))
    values = np.arange(48, dtype=np.uint16).reshape(6, 8) * 300
    (image,) = decode_images(encoded(Image.fromarray(values), "PPM"))
    assert np.array_equal(image.values[..., 0], values)
    assert image.values.dtype == np.uint16
    (image,) = decode_images(encoded(Image.fromarray(values / np.float32(3)), "PPM"))
    assert np.array_equal(image.values[..., 0], values / np.float32(3))


def test_cmyk_and_bilevel_are_converted():
    assert decoded(Image.new("CMYK", (2, 2), (0, 255, 255, 0)), "TIFF").tolist()[0][0] == [255, 0, 0]
    assert decoded(Image.new("1", (2, 2), 1)).tolist() == [[[255], [255]]] * 2


def test_floating_point_is_refused():
    with pytest.raises(UnreadableError, match="floating point"):
        decoded(Image.new("F", (2, 2), 0.5), "TIFF")


def test_the_first_frame_is_taken():
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    found = decoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(found, GREY[..., None])


def with_chunk(data, name, body, *, behind):
    """Put a chunk of a PNG before or behind its pixels."""
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    at = data.index(b"IEND") - 4 if behind else data.index(b"IDAT") - 4
    return data[:at] + chunk + data[at:]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("where", ["eXIf", "raw", "xmp"])
def test_orientation_is_applied_wherever_it_is_said(where, behind):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    data, whole = exif.tobytes(), encoded(image)
    if where == "eXIf":
        whole = with_chunk(whole, b"eXIf", data.removeprefix(b"Exif\0\0"), behind=behind)
    elif where == "raw":
        text = f"\nexif\n{len(data):8}\n{data.hex()}\n".encode()
        whole = with_chunk(whole, b"tEXt", b"Raw profile type exif\0" + text, behind=behind)
    else:
        text = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
        whole = with_chunk(whole, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text, behind=behind)
    with Image.open(io.BytesIO(whole)) as opened:
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(opened)), np.rot90(RGB, -1))
    assert np.array_equal(decode_image(whole), np.rot90(RGB, -1))


def test_an_image_beyond_pillows_limit_is_refused_and_not_decoded(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 47)  # 48 only warns in Pillow: from 95 it raises
    for name in ("PNG", "BMP", "GIF"):
        with pytest.raises(UnreadableError, match="too large"):
            decoded(Image.fromarray(RGB), name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 48)
    assert np.array_equal(decoded(Image.fromarray(RGB)), RGB)


def test_a_header_that_claims_too_much_is_refused_without_the_memory_for_it():
    data = bytearray(encoded(Image.fromarray(RGB)))
    data[16:24] = struct.pack(">II", 2**30, 2**30)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(UnreadableError, match="too large"):
        decode_image(bytes(data))


def test_nothing_and_other_formats_are_no_images():
    with pytest.raises(UnreadableError, match="empty file"):
        decode_image(b"")
    for data in (encoded(Image.fromarray(GREY), "TGA"), b"<svg/>", b"\x89PNG\r\n\x1a\n"):
        with pytest.raises(UnreadableError, match="not an image"):
            decode_image(data)


@settings(max_examples=150, deadline=None)
@given(
    pixels=SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)),
    level=st.integers(0, 9),
    text=st.booleans(),
    gamma=st.booleans(),
)
def test_the_fast_way_through_a_png_is_pillows(pixels, level, text, gamma):
    info = PngInfo()
    if text:
        info.add_text("comment", "of any sort")
    data = encoded(picture(pixels), compress_level=level, pnginfo=info)
    if gamma:
        data = with_chunk(data, b"gAMA", struct.pack(">I", 45455), behind=False)
    slow = decode._drop_equal_channels(decode._with_pillow(data, (255, 255, 255)))
    fast = plain_png(data)
    assert (fast is None) == (text or gamma)  # only the plainest sort goes the fast way
    assert np.array_equal(decode_image(data), slow)
    assert decode_image(data).flags.c_contiguous


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_files_give_pixels_or_a_reason_and_nothing_else(data):
    whole = WHOLE[data.draw(st.sampled_from(FORMATS))]
    cut = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole)), st.integers(0, 255)), max_size=6)):
        if place < len(cut):
            cut[place] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(UnreadableError):
            pixels = decode_image(bytes(cut) or data.draw(st.binary(max_size=64)))
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
            assert pixels.shape[2] in (1, 3)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_what_is_cut_short_says_so(share):
    for name in ("PNG", "JPEG", "BMP"):
        with pytest.raises(UnreadableError, match="truncated image"):
            decode_image(WHOLE[name][: int(len(WHOLE[name]) * share)])


def test_names_of_images():
    assert all(is_image_name(f"a/b{suffix}") and is_image_name(f"b{suffix.upper()}") for suffix in SUFFIXES)
    for name in ("a.txt", "png", ".png", "a.png.txt", "a.png/b", ""):
        assert not is_image_name(name)
