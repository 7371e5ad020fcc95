"""EXIF's eight orientations, as Pillow turns them."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from gan.data.pixels.upright import upright
from gan.data.records import Deep

PIXELS = np.arange(6, dtype=np.uint8).reshape(2, 3, 1) * 40


@pytest.mark.parametrize("orientation", range(10))
def test_each_is_turned_as_pillow_does(orientation):
    image = Image.fromarray(PIXELS[..., 0])
    exif = image.getexif()
    exif[0x0112] = orientation
    file = BytesIO()
    image.save(file, "PNG", exif=exif)
    with Image.open(file) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    turned = upright(Deep(PIXELS.astype(np.uint16), alpha=255 - PIXELS[..., 0]), orientation)
    assert np.array_equal(turned.values[..., 0], expected)
    assert np.array_equal(turned.alpha, 255 - expected)
    assert turned.values.flags.c_contiguous
