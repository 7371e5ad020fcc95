"""Formats by first bytes."""

import io
import sys
import types

import numpy as np
import pytest
from PIL import Image

from gan.data.files.blob import UnreadableError
from gan.data.pixels import formats
from gan.data.pixels.decode import decode_image
from gan.data.pixels.formats import FORMATS, HEAD_BYTES, format_of

HEIC = b"\0\0\0\x18ftypheic" + bytes(40)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_pillow_writes_is_known_by_its_first_bytes(name, mode):
    out = io.BytesIO()
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).convert(mode).save(out, name)
    assert format_of(out.getvalue()[:HEAD_BYTES]) == name


@pytest.mark.parametrize(
    "head", [b"", b"PK\3\4", b"P5", b"Pandas", b"BMW is a car, and", b"\0\0\0\x18ftypisom", b"RIFF\0\0\0\0WAVE", b"II*"]
)
def test_other_bytes_are_no_image(head):
    assert format_of(head) == ""


def test_the_package_that_is_missing_is_named():
    for data, words in ((HEIC, "HEIC needs the package pillow-heif"), (b"\xff\x0a" + bytes(40), "JPEG XL needs the")):
        with pytest.raises(UnreadableError, match=words):
            decode_image(data)


def test_a_package_that_is_there_reads_its_format(monkeypatch):
    """With a stand-in, for the package is none of ours: that it is loaded once, told to register, and believed."""
    told = []
    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=lambda: told.append(1)))
    formats._load.cache_clear()
    try:
        assert formats.plugged_in(HEIC) == ("HEIF",)
        assert formats.missing_package(HEIC) == ""
        assert formats.plugged_in(b"\x89PNG\r\n\x1a\n") == ()
        assert told == [1]
    finally:
        formats._load.cache_clear()
