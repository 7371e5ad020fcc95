"""Files as cameras, microscopes and satellites write them, which Pillow does not write."""

import struct
import zlib

import numpy as np
import pytest

from gan.data.pixels.png import png_chunk

_KINDS = {"u": 1, "i": 2, "f": 3, "c": 6}


@pytest.fixture(scope="session")
def tiff():
    """Make an unpacked TIFF file of `[H, W, bands]` values of any type."""

    def make(values, photometric=1, extra=(), *, planar=False, orientation=1, order="<", nothing=b""):
        height, width, bands = values.shape
        stored = values.astype(values.dtype.newbyteorder(order))
        strips = [stored[..., band].tobytes() for band in range(bands)] if planar else [stored.tobytes()]
        bits, kind = values.dtype.itemsize * 8, _KINDS[values.dtype.kind]
        starts = [8 + sum(map(len, strips[:at])) for at in range(len(strips))]
        tags = {
            256: [width],
            257: [height],
            258: [bits] * bands,
            259: [1],
            262: [photometric],
            273: starts,
            274: [orientation],
            277: [bands],
            278: [height],
            279: [len(strip) for strip in strips],
            284: [2 if planar else 1],
            338: list(extra),
            339: [kind] * bands,
            42113: nothing,  # GDAL's tag
        }
        return _file(order, strips, {tag: numbers for tag, numbers in tags.items() if numbers})

    return make


def _file(order, strips, tags):
    body = b"".join(strips)
    at = 8 + len(body)
    entries, behind = b"", b""
    for tag, numbers in sorted(tags.items()):
        text = isinstance(numbers, bytes)
        packed = numbers if text else struct.pack(f"{order}{len(numbers)}L", *numbers)
        if len(packed) > 4:
            place = at + 2 + 12 * len(tags) + 4 + len(behind)
            behind, packed = behind + packed, struct.pack(f"{order}L", place)
        entries += struct.pack(f"{order}HHL", tag, 2 if text else 4, len(numbers)) + packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", at)
    return head + body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + behind


@pytest.fixture(scope="session")
def png16():
    """Make a PNG of 16 bits a sample from `[H, W, C]` uint16: grey, grey and opacity, RGB, or RGBA."""

    def make(values, chunks=b""):
        height, width, channels = values.shape
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
        header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
        body = png_chunk(b"IHDR", header) + chunks + png_chunk(b"IDAT", zlib.compress(rows))
        return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")

    return make


@pytest.fixture(scope="session")
def values():
    """Make `[H, W, C]` random values that fill their type."""

    def make(dtype, shape=(6, 8, 1), seed=0):
        bits = np.random.default_rng(seed).integers(0, 256, (*shape[:2], shape[2] * np.dtype(dtype).itemsize), np.uint8)
        if np.dtype(dtype).kind == "f":
            return np.random.default_rng(seed).normal(size=shape).astype(dtype)
        return bits.view(dtype)

    return make
