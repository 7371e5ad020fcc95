"""PNG: exact round trips, readable by others, and no crash on what is none."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from gan.data.pixels.png import decode_png, encode_png, encode_pngs, png_chunk, read_chunks, with_chunks

FROZEN = (
    "89504e470d0a1a0a0000000d4948445200000004000000040802000000269309290000001a49444154780163626064626661"
    "6563e7e0e4e266e24102b839002d4c01fb72a3d9240000000049454e44ae426082"
)
SHAPES = st.tuples(st.integers(1, 33), st.integers(1, 33), st.sampled_from([1, 3]))


@settings(max_examples=200, deadline=None)
@given(pixels=SHAPES.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_what_was_encoded_comes_back_here_and_in_pillow(pixels):
    data = encode_png(pixels)
    assert np.array_equal(decode_png(data, pixels.shape), pixels)
    image = Image.open(io.BytesIO(data), formats=["PNG"])
    assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


@settings(max_examples=50, deadline=None)
@given(images=st.integers(1, 4).flatmap(lambda count: SHAPES.flatmap(lambda shape: arrays(np.uint8, (count, *shape)))))
def test_many_together_are_each_as_if_alone(images):
    assert encode_pngs(images) == [encode_png(image) for image in images]
    turned = np.asfortranarray(images)
    assert encode_pngs(turned) == encode_pngs(images)


def test_the_bytes_are_frozen():
    # What DVC hashes: another encoder would make a new version of every dataset.
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    assert encode_png(pixels).hex() == FROZEN


@settings(max_examples=300, deadline=None)
@given(
    pixels=arrays(np.uint8, (8, 8, 3)),
    length=st.integers(0, 400),
    damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5),
)
def test_damage_is_a_value_error_or_pixels_of_the_right_shape(pixels, length, damage):
    data = bytearray(encode_png(pixels)[:length])
    for place, value in damage:
        if place < len(data):
            data[place] = value
    with contextlib.suppress(ValueError):
        assert decode_png(bytes(data), (8, 8, 3)).shape == (8, 8, 3)


@given(data=st.binary(max_size=200))
def test_random_bytes_are_a_value_error(data):
    with pytest.raises(ValueError, match="PNG"):
        decode_png(data, (8, 8, 1))


def test_another_shape_is_refused_before_decoding():
    with pytest.raises(ValueError, match="9x8"):
        decode_png(encode_png(np.zeros((8, 9, 1), np.uint8)), (8, 8, 1))
    with pytest.raises(ValueError, match="expected"):
        decode_png(encode_png(np.zeros((8, 8, 3), np.uint8)), (8, 8, 1))


def test_chunks_stand_behind_the_header_and_change_nothing_else():
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    said = png_chunk(b"tEXt", b"Title\0x") + png_chunk(b"iTXt", b"a\0\0\0\0\0b")
    for with_it, without, pixels in zip(encode_pngs(images, said), encode_pngs(images), images, strict=True):
        assert with_it == without[:33] + said + without[33:] == with_chunks(without, said)
        assert np.array_equal(decode_png(with_it, (4, 4, 3)), pixels)
        assert [name for name, _ in read_chunks(with_it)] == [b"IHDR", b"tEXt", b"iTXt", b"IDAT"]
        assert dict(read_chunks(with_it))[b"iTXt"] == b"a\0\0\0\0\0b"


def test_a_change_of_any_byte_of_a_png_is_seen_in_its_chunks():
    png = encode_png(np.zeros((2, 2, 1), np.uint8))
    for place in range(len(png)):
        for bit in (1, 128):
            changed = png[:place] + bytes([png[place] ^ bit]) + png[place + 1 :]
            with pytest.raises(ValueError, match="PNG"):
                list(read_chunks(changed))
    with pytest.raises(ValueError, match="behind its end"):
        list(read_chunks(png + b"x"))
