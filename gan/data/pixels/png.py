"""PNG of small images, fast and with the same bytes on every machine.

Every row takes the filter Up and libdeflate packs it at level 1: libdeflate's output does not depend on the processor,
and one filter for all rows saves the search that makes other encoders slow.
"""

import struct
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2}  # channels to PNG's numbers: grey, RGB
_FILTER_UP = 2
_HEADER_BYTES = 33  # signature and IHDR


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode `[H, W, C]` uint8 pixels, C 1 or 3, without loss."""
    (encoded,) = encode_pngs(pixels[np.newaxis])
    return encoded


def encode_pngs(images: NDArray[np.uint8], chunks: bytes = b"") -> list[bytes]:
    """Encode each of `[N, H, W, C]` uint8 images, C 1 or 3, without loss.

    Args:
        images: the pixels.
        chunks: whole chunks, as `png_chunk` makes them, that each file carries behind its header; they say something
            about the image and change no pixel.
    """
    count, height, width, channels = images.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    rows = np.empty((count, height, 1 + width * channels), np.uint8)
    rows[:, :, 0] = _FILTER_UP
    flat = images.reshape(count, height, width * channels)
    rows[:, 0, 1:] = flat[:, 0]
    np.subtract(flat[:, 1:], flat[:, :-1], out=rows[:, 1:, 1:])  # modulo 256, as PNG wants
    before, after = _SIGNATURE + png_chunk(b"IHDR", header) + chunks, png_chunk(b"IEND", b"")
    packed = (imagecodecs.deflate_encode(each.tobytes(), level=1) for each in rows.reshape(count, -1))
    return [b"".join((before, *_chunk(b"IDAT", each), after)) for each in packed]


def decode_png(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Decode a PNG whose size is known.

    Args:
        data: the file.
        shape: (H, W, C) that the image must have.

    Returns:
        `shape` uint8.

    Raises:
        ValueError: not a PNG, broken, or of another shape.
    """
    if len(data) < _HEADER_BYTES or data[:8] != _SIGNATURE or data[12:16] != b"IHDR":
        raise ValueError("not a PNG image")
    # Read before decoding: a header may claim more pixels than there is memory.
    width, height = struct.unpack(">II", data[16:24])
    if (height, width) != shape[:2]:
        raise ValueError(f"a PNG image of {width}x{height} pixels where {shape[1]}x{shape[0]} were expected")
    try:
        pixels = imagecodecs.png_decode(data)
    except Exception as error:
        raise ValueError(f"a broken PNG image ({error})") from None
    if pixels.dtype != np.uint8 or pixels.size != np.prod(shape):
        raise ValueError(f"a PNG image of shape {pixels.shape} where {shape} was expected")
    return np.asarray(pixels, dtype=np.uint8).reshape(shape)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Return one chunk: its length, its name of four letters, its body and their checksum."""
    return b"".join(_chunk(name, body))


def with_chunks(png: bytes, chunks: bytes) -> bytes:
    """Return a PNG that carries further chunks behind its header, as those of `encode_pngs` do."""
    assert png[:8] == _SIGNATURE
    return png[:_HEADER_BYTES] + chunks + png[_HEADER_BYTES:]


def read_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Read the name and body of each chunk of a PNG up to its end, in order; nothing is decoded or unpacked.

    Raises:
        ValueError: not a PNG, a chunk that is cut short or has another checksum, bytes behind the end, or no end.
    """
    if data[:8] != _SIGNATURE:
        raise ValueError("not a PNG image")
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ValueError("a broken PNG image (a chunk's checksum is another)")
        if name == b"IEND":
            if end != len(data):
                raise ValueError("a PNG image with bytes behind its end")
            return
        yield name, data[at + 8 : end - 4]
        at = end
    raise ValueError("a broken PNG image (it is cut short)")


def _chunk(name: bytes, body: bytes | bytearray) -> tuple[bytes, ...]:
    return struct.pack(">I", len(body)), name, bytes(body), struct.pack(">I", zlib.crc32(body, zlib.crc32(name)))
