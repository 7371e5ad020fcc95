"""Payloads and their marks."""

import zlib

import numpy as np

from gan.data.pixels.png import encode_pngs
from gan.release.shard import Marks, pixel_digests, png_payloads, png_pixels

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
MARK = b"[mark]"


def test_chunks_stand_behind_the_header_and_before_the_pixels():
    plain, marked = encode_pngs(IMAGES), png_payloads(IMAGES, Marks(chunks=MARK))
    for before, after in zip(plain, marked, strict=True):
        assert after == before[:33] + MARK + before[33:]
        assert before[12:16] == b"IHDR"
        assert before[37:41] == b"IDAT"
    assert png_payloads(IMAGES, Marks()) == plain


def test_a_chunk_leaves_the_pixels_as_they_are():
    body = b"tEXtSoftware\0ganflow"
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    for image, payload in zip(IMAGES, png_payloads(IMAGES, Marks(chunks=chunk)), strict=True):
        assert np.array_equal(png_pixels(payload, (4, 4, 1)), image)


def test_digests_tell_images_by_their_pixels():
    digests = pixel_digests(IMAGES)
    assert len(set(digests)) == 3
    assert digests[1:2] == pixel_digests([np.asfortranarray(IMAGES[1])])
