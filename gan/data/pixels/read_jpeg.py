"""What libjpeg forgives in a JPEG file and a dataset should not: an end that came too early."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from gan.data.files.blob import UnreadableError

_START = b"\xff\xd8\xff"
_BLANKS = b"\t\n\r "
# What ends packed pixels: no stuffed zero, no fill, no restart.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_END, _SCAN, _AGAIN = 0xD9, 0xDA, 0xD8
_WITHOUT_LENGTH = {0x01, _AGAIN}
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1, 0xC9}, {0xC2, 0xCA}
_COEFFICIENTS = frozenset(range(64))
_GREY = {127, 128}  # of blocks that libjpeg had no bytes for, whatever the colours are made of
_SHORT_PASS = 1 / 5  # of the file: the last pass of a whole progressive one is larger, but for small images
_FURTHER = bytes(range(1, 255))


class _Segment(NamedTuple):
    marker: int
    start: int
    body: bytes


def without_leading_blanks(data: bytes) -> bytes:
    """Return a JPEG file without the line ends that some programs put before it; other files as they are."""
    if data[:1] in {b"\t", b"\n", b"\r", b" "} and (bare := data.lstrip(_BLANKS)).startswith(_START):
        return bare
    return data


def refuse_early_end(data: bytes, image: Image.Image) -> None:
    """Refuse a JPEG file that has not all of its pixels, although it may have an end.

    libjpeg makes up what is missing: grey blocks, or, where a progressive file lacks passes, a blurred image.

    Args:
        data: the file.
        image: what Pillow made of it, not turned yet.

    Raises:
        UnreadableError: it has no end, lacks a pass over its pixels, or its packed pixels end before the last block.
    """
    frame, missing, last_pass, segment = 0, dict[int, set[int]](), 0, None
    for segment in _segments(data):
        if segment.marker in _SEQUENTIAL | _PROGRESSIVE:
            frame = segment.marker
            missing = {number: set(_COEFFICIENTS) for number in segment.body[6::3]}
        elif segment.marker == _SCAN and frame:
            last_pass = segment.start
            for number, done in _passed(segment.body, frame in _PROGRESSIVE):
                missing.get(number, set()).difference_update(done)
    if segment is None or segment.marker != _END:
        raise UnreadableError("truncated image", "it has no end")
    if any(missing.values()):
        raise UnreadableError("truncated image", "not all passes over its pixels are there")
    last = image.getpixel((image.width - 1, image.height - 1))
    is_grey = set(last if isinstance(last, tuple) else (last,)) <= _GREY
    # To be sure takes as long as decoding does, so it is for what looks like it.
    if is_grey if frame in _SEQUENTIAL else segment.start - last_pass < _SHORT_PASS * segment.start:
        _refuse_missing_blocks(data, segment.start, image)


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield the segments up to the end of the first image; packed pixels are passed over."""
    at = 2
    while (found := _MARKER.search(data, at)) is not None:
        at, marker = found.end(), found[1][0]
        length = 0 if marker in {_END, *_WITHOUT_LENGTH} else max(2, int.from_bytes(data[at : at + 2], "big"))
        yield _Segment(marker, found.start(), data[at + 2 : at + length])
        if marker == _END:
            return
        at += length


def _passed(scan: bytes, is_progressive: bool) -> Iterator[tuple[int, frozenset[int]]]:
    """Yield the number of each component in a scan, and the coefficients that are complete behind it."""
    count = scan[0] if scan else 0
    first, last, precision = scan[-3:] if len(scan) == 4 + 2 * count else (0, 63, 0)
    done = _COEFFICIENTS if not is_progressive else frozenset(range(first, last + 1) if precision & 15 == 0 else ())
    yield from ((number, done) for number in scan[1 : 1 + 2 * count : 2])


def _refuse_missing_blocks(data: bytes, end: int, image: Image.Image) -> None:
    """Put further bytes before the end: libjpeg takes them for pixels where some are missing, and leaves them else."""
    restarts = _RESTART.findall(data, 0, end)
    following = 0xD0 + ((restarts[-1][0] - 0xD0 + 1) % 8 if restarts else 0)
    longer = data[:end] + _FURTHER + bytes([0xFF, following]) + _FURTHER + data[end:]
    with Image.open(BytesIO(longer), formats=["JPEG"]) as other:
        if other.tobytes() != image.tobytes():
            raise UnreadableError("truncated image", "its packed pixels end early")
