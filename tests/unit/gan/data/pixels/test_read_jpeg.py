"""JPEG files that ended too early, and that no whole one is taken for one."""

import re
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_image

from gan.data.files.blob import UnreadableError
from gan.data.pixels.decode import decode_image

PHOTO = Image.fromarray(load_sample_image("china.jpg")).resize((203, 151))
PICTURES = {
    "photo": PHOTO,
    "noise": Image.fromarray(np.random.default_rng(0).integers(0, 256, (77, 90, 3), dtype=np.uint8)),
    "grey": Image.new("RGB", (64, 64), (128, 128, 128)),
    "black": Image.new("RGB", (9, 17)),
}
END = b"\xff\xd9"


def encoded(image, **options):
    file = BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def cut(data, share):
    """Cut a file within its packed pixels, or within those of its last pass."""
    start = data.rindex(b"\xff\xda") + 14
    return data[: start + int((len(data) - start) * share)].rstrip(b"\xff")


@pytest.mark.parametrize("picture", PICTURES)
def test_whole_files_are_read_whatever_they_are_made_with(picture):
    ways = product(("RGB", "L", "CMYK"), (20, 75, 95), (False, True), (0, 7), (0, 2))
    for mode, quality, progressive, restart, subsampling in ways:
        options = {"quality": quality, "progressive": progressive, "restart_marker_blocks": restart}
        if mode == "RGB":
            options["subsampling"] = subsampling
        whole = encoded(PICTURES[picture].convert(mode), **options)
        with Image.open(BytesIO(whole)) as opened:
            expected = np.asarray(opened.convert("RGB"))
        for data in (whole, whole + b"behind the end \xff\xda", b"\n" + whole, b"\r\n" + whole):
            assert np.array_equal(decode_image(data) + np.zeros(3, np.uint8), expected)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("restart", [0, 7])
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("tail", [b"", END, bytes(5000)])
def test_missing_blocks_are_noticed_whatever_the_end(mode, restart, share, tail):
    whole = encoded(PHOTO.convert(mode), quality=80, restart_marker_blocks=restart)
    with pytest.raises(UnreadableError, match="truncated image"):
        decode_image(cut(whole, share) + tail)


@pytest.mark.parametrize("tail", [b"", END, bytes(5000)])
def test_missing_passes_are_noticed(tail):
    whole = encoded(PHOTO, quality=80, progressive=True)
    passes = [found.start() for found in re.finditer(rb"\xff\xda", whole)]
    assert len(passes) == 10
    for at in passes:
        with pytest.raises(UnreadableError, match=r"truncated image|broken image"):
            decode_image(whole[:at] + tail)
        with pytest.raises(UnreadableError, match="truncated image"):
            decode_image(whole[: at + 400] + tail)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_half_of_the_last_pass_that_is_missing_is_noticed(share):
    whole = encoded(PHOTO, quality=80, progressive=True)
    with pytest.raises(UnreadableError, match="its packed pixels end early"):
        decode_image(cut(whole, share) + END)


def test_a_file_that_ends_between_two_restarts_lacks_blocks_too():
    whole = encoded(PHOTO, quality=80, restart_marker_blocks=4)
    places = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", whole)]
    assert len(places) > 20
    for at in places:
        with pytest.raises(UnreadableError, match="truncated image"):
            decode_image(whole[:at] + END)


def test_a_picture_whose_end_is_grey_is_whole():
    picture = PHOTO.copy()
    picture.paste((128, 128, 128), (0, 80, 203, 151))
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 3}, {"quality": 100, "subsampling": 0}):
        assert decode_image(encoded(picture, **options))[-1, -1].tolist() in ([128] * 3, [128])


def test_of_several_pictures_the_first_has_to_be_whole():
    file = BytesIO()
    PHOTO.save(file, "MPO", save_all=True, append_images=[PHOTO.resize((40, 30))])
    whole = file.getvalue()
    with Image.open(BytesIO(whole)) as opened:
        assert opened.format == "MPO"
    assert decode_image(whole).shape == (151, 203, 3)
    first = whole.index(END + b"\xff\xd8")
    for missing in (500, 3000):
        with pytest.raises(UnreadableError, match="truncated image"):
            decode_image(whole[: first - missing] + END + bytes(missing) + whole[first + 2 :])


def test_a_thumbnail_in_the_metadata_is_no_end():
    exif = b"Exif\0\0" + encoded(PHOTO.resize((16, 16)))
    whole = encoded(PHOTO, exif=exif)
    assert decode_image(whole).shape == (151, 203, 3)
    with pytest.raises(UnreadableError, match="truncated image"):
        decode_image(cut(whole, 0.5) + bytes(2000))


def test_ink_is_told_as_browsers_do_with_and_without_adobes_marker():
    """Without the marker, too, CMYK in JPEG files stands for ink that is left out."""
    whole = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), quality=100)
    at = whole.index(b"\xff\xee")
    without = whole[:at] + whole[at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big") :]
    assert b"Adobe" not in without
    for data in (whole, without):
        assert np.abs(decode_image(data)[0, 0].astype(int) - [255, 0, 0]).max() < 5


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_gives_pixels_or_a_reason(data):
    whole = bytearray(encoded(PICTURES["noise"], progressive=data.draw(st.booleans()), restart_marker_blocks=5))
    for place, value in data.draw(st.lists(st.tuples(st.integers(2, len(whole) - 1), st.integers(0, 255)), max_size=6)):
        whole[place] = value
    try:
        assert decode_image(bytes(whole)).dtype == np.uint8
    except UnreadableError:
        return
