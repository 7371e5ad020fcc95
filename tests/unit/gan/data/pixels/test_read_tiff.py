"""TIFF files as cameras, microscopes and satellites write them."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.files.blob import UnreadableError
from gan.data.pixels.decode import decode_image, decode_images
from gan.data.records import Deep

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
ASSOCIATED, OPACITY = 1, 2


def decoded(data):
    (image,) = decode_images(data)
    return image


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "dtype", [np.uint16, np.uint32, np.int8, np.int16, np.int32, np.float16, np.float32, np.float64, np.uint64]
)
@pytest.mark.parametrize(("bands", "photometric"), [(1, BLACK_IS_ZERO), (3, RGB), (3, BLACK_IS_ZERO)])
@pytest.mark.parametrize("planar", [False, True])
def test_values_come_as_they_are_whatever_their_type(tiff, values, dtype, bands, photometric, planar, order):
    pixels = values(dtype, (6, 8, bands))
    image = decoded(tiff(pixels, photometric, planar=planar, order=order))
    assert np.array_equal(image.values, pixels)
    assert image.values.dtype == dtype
    assert (image.alpha, image.inverted, image.window) == (None, False, None)


def test_the_colours_of_a_file_with_one_band_behind_the_other(tiff):
    """Pillow makes a mixture of them."""
    pixels = np.zeros((8, 8, 3), np.uint16)
    pixels[:4, :4, 0] = pixels[:4, 4:, 1] = pixels[4:, :4, 2] = pixels[4:, 4:, 0] = pixels[4:, 4:, 1] = 65535
    found = decode_image(tiff(pixels, RGB, planar=True))
    assert found[[0, 0, 7, 7], [0, 7, 0, 7]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_zero_may_be_white(tiff, dtype):
    levels = np.iinfo(dtype).max
    pixels = np.array([[[0], [levels // 5], [levels]]], dtype)
    assert decode_image(tiff(pixels, WHITE_IS_ZERO)).ravel().tolist() == [255, 204, 0]


@pytest.mark.parametrize(("bands", "photometric"), [(2, BLACK_IS_ZERO), (4, RGB)])
def test_opacity_is_apart(tiff, values, bands, photometric):
    pixels = values(np.uint16, (6, 8, bands))
    image = decoded(tiff(pixels, photometric, [OPACITY]))
    assert np.array_equal(image.values, pixels[..., :-1])
    assert np.array_equal(image.alpha, np.rint(pixels[..., -1] / 257))


def test_colours_that_were_multiplied_with_opacity_are_as_before(tiff):
    pixels = np.array([[[30000, 20000, 10000, 32768], [60000, 40000, 20000, 65535], [0, 0, 0, 0]]], np.uint16)
    found = decoded(tiff(pixels, RGB, [ASSOCIATED])).values.astype(int)
    assert np.abs(found - [[[60000, 40000, 20000]] * 2 + [[0] * 3]]).max() < 300


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("extra", [[0], [0, 0], [0] * 5])
def test_bands_beyond_red_green_and_blue_are_left_out_where_the_file_says_that_they_are_others(
    tiff, values, dtype, extra
):
    pixels = values(dtype, (6, 8, 3 + len(extra)))
    image = decoded(tiff(pixels, RGB, extra))
    assert np.array_equal(image if dtype == np.uint8 else image.values, pixels[..., :3])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("bands", "photometric", "extra"),
    [
        (4, RGB, []),  # the fourth may be opacity, or infrared
        (2, BLACK_IS_ZERO, []),
        (2, BLACK_IS_ZERO, [0]),
        (3, WHITE_IS_ZERO, []),
        (5, BLACK_IS_ZERO, [0] * 4),
        (13, BLACK_IS_ZERO, [0] * 12),
        (13, BLACK_IS_ZERO, []),
    ],
)
def test_bands_without_a_plain_meaning_are_refused_by_their_number(
    tiff, values, dtype, bands, photometric, extra, capfd
):
    for planar in (False, True):
        with pytest.raises(UnreadableError) as caught:
            decoded(tiff(values(dtype, (6, 8, bands)), photometric, extra, planar=planar))
        assert caught.value.reason == f"{bands} bands"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_fourth_band_without_a_name_is_left_out_where_it_changes_nothing(tiff, values, dtype):
    pixels = np.abs(values(dtype, (6, 8, 4)))
    pixels[..., 3] = 1 if dtype == np.float32 else np.iinfo(dtype).max
    for planar in (False, True):
        image = decoded(tiff(pixels, RGB, planar=planar))
        assert np.array_equal(image if dtype == np.uint8 else image.values, pixels[..., :3])


@pytest.mark.parametrize("nothing", [b"-9999\0", b" -9.999e3 \0", b"-9999"])
def test_pixels_of_a_map_without_a_value_have_none(tiff, values, nothing):
    pixels = values(np.float32)
    pixels[2, 3] = -9999
    found = decoded(tiff(pixels, nothing=nothing)).values
    assert np.isnan(found[2, 3, 0])
    assert np.isfinite(found).sum() == 47
    whole = values(np.int16)
    assert np.array_equal(decoded(tiff(whole, nothing=b"5\0\0\0\0")).values, whole)
    assert np.array_equal(decoded(tiff(pixels, nothing=b"what is this")).values, pixels)


def test_complex_numbers_are_refused(tiff, values):
    with pytest.raises(UnreadableError, match="complex numbers"):
        decoded(tiff(values(np.float32, (4, 4, 2)).view(np.complex64)))


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_orientation_is_applied(tiff, values, orientation):
    pixels = values(np.uint16)
    found = decoded(tiff(pixels, orientation=orientation)).values[..., 0]
    assert np.array_equal(found, np.rot90(pixels[..., 0], {1: 0, 6: -1, 8: 1}[orientation]))


@pytest.mark.parametrize(
    ("dtype", "reason"),
    [
        (np.float32, "floating point pixels"),
        (np.int16, "signed or 16-bit pixels"),
        (np.uint32, "signed or 32-bit pixels"),
    ],
)
def test_alone_its_range_is_unknown(tiff, values, dtype, reason):
    with pytest.raises(UnreadableError) as caught:
        decode_image(tiff(values(dtype)))
    assert caught.value.reason == reason


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_packed_files_and_their_damage(values, compression):
    file = BytesIO()
    pixels = values(np.uint16, (40, 50, 1))
    Image.fromarray(pixels[..., 0]).save(file, "TIFF", compression=compression)
    whole = file.getvalue()
    assert np.array_equal(decoded(whole).values, pixels)
    with pytest.raises(UnreadableError):
        decoded(whole[: len(whole) // 2])


def test_pixels_that_are_missing_are_said_to_be(tiff, values):
    whole = bytearray(tiff(values(np.uint16, (40, 50, 1))))
    at = whole.index((273).to_bytes(2, "little") + b"\4\0\1\0\0\0") + 8
    whole[at : at + 4] = (len(whole) - 100).to_bytes(4, "little")
    with pytest.raises(UnreadableError, match="truncated image"):
        decoded(bytes(whole))


def test_a_header_that_claims_too_much_is_refused_without_the_memory_for_it(tiff, values):
    whole = bytearray(tiff(values(np.uint16)))
    for tag in (256, 257):
        at = whole.index(tag.to_bytes(2, "little") + b"\4\0\1\0\0\0") + 8
        whole[at : at + 4] = (2**20).to_bytes(4, "little")
    with pytest.raises(UnreadableError, match="too large"):
        decoded(bytes(whole))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_an_image_or_a_reason_and_no_word_on_any_stream(data, tiff, values, capfd):
    whole = bytearray(tiff(values(np.uint16, (5, 4, 3)), RGB, planar=data.draw(st.booleans())))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=5)):
        whole[place] = value
    try:
        image = decoded(bytes(whole[: data.draw(st.integers(1, len(whole)))]))
    except UnreadableError:
        pass
    else:
        assert isinstance(image, Deep) or image.dtype == np.uint8
    assert capfd.readouterr() == ("", "")
