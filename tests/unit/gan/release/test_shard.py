"""Payloads and their marks."""

import numpy as np

from gan.data.pixels.png import encode_pngs
from gan.release.shard import Marks, pixel_digests, png_payloads, png_pixels

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
SEEDS, LABELS = np.array([5, 6, 7]), np.array([0, 1, 1])


def chunks(seed, label):
    return b"[" + f"{seed},{label}".encode() + b"]"


def test_chunks_stand_behind_the_header_and_before_the_pixels():
    plain, marked = encode_pngs(IMAGES), png_payloads(IMAGES, SEEDS, LABELS, Marks(chunks=chunks))
    for seed, label, before, after in zip(SEEDS, LABELS, plain, marked, strict=True):
        mark = f"[{seed},{label}]".encode()
        assert after == before[:33] + mark + before[33:]
        assert before[12:16] == b"IHDR"
        assert before[37:41] == b"IDAT"
    assert png_payloads(IMAGES, SEEDS, LABELS, Marks()) == plain


def test_a_chunk_of_its_own_leaves_the_pixels_as_they_are():
    text = b"\x00\x00\x00\x01tEXtx" + (0x7AD1C0DE).to_bytes(4, "big")  # its sum is not looked at
    (payload,) = png_payloads(IMAGES[:1], SEEDS[:1], LABELS[:1], Marks(chunks=lambda seed, label: text))
    try:
        found = png_pixels(payload, (4, 4, 1))
    except ValueError:  # a decoder that does look
        return
    assert np.array_equal(found, IMAGES[0])


def test_digests_tell_images_by_their_pixels():
    digests = pixel_digests(IMAGES)
    assert len(set(digests)) == 3
    assert digests[1:2] == pixel_digests([np.asfortranarray(IMAGES[1])])
