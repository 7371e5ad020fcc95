"""One file's bytes, wherever they lie: a file of their own, a stretch of a tar, a member of a zip."""

import errno
import os
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from gan.data.files.packing import BROKEN, DEFLATE, unpacked
from gan.text.shown import reason_of

MAX_FILE_BYTES = 2**29
BROKEN_MEMBER = "broken archive member"
_CHECKED = "its size or checksum is not what the archive says"
_BLOCK = 2**20
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip member; the fields between repeat the central directory
_LOCAL_SIGNATURE = b"PK\x03\x04"
_NO_LINK_NO_WAIT = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class UnreadableError(Exception):
    """A file that gives no image; `reason` in a few words that many files share, `detail` for this one."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Keep both parts, so that files can be counted by reason."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Blob(NamedTuple):
    """Where the bytes of one file lie.

    Attributes:
        file: path on this machine of the file that holds them.
        size: how many bytes they are once unpacked.
        offset: where they begin in `file`, or -1: they are the whole file.
        packed: their size in a zip where they are packed, or -1: they lie there as they are.
        crc: CRC-32 that they must have, or -1: none is known. Only members of a zip have one.
        modified: when `file` was changed last, in nanoseconds.
        method: how they are packed, by the zip's number for it.
    """

    file: str
    size: int
    offset: int = -1
    packed: int = -1
    crc: int = -1
    modified: int = 0
    method: int = DEFLATE


def read_blob(blob: Blob, most: int = MAX_FILE_BYTES) -> bytes:
    """Read the bytes of a file; links are not followed and pipes not waited for.

    Raises:
        UnreadableError: empty, longer than `most` bytes, no regular file, cut short, or not readable.
    """
    descriptor = _descriptor(blob)  # not with `_opened`, which takes a quarter as long as reading a small file
    try:
        length = _length(descriptor)
        size = length if blob.offset < 0 else blob.size
        if size == 0:
            raise UnreadableError("empty file")
        if size > most:
            raise UnreadableError("too large", f"more than {most:,} bytes")
        if blob.crc >= 0:
            return _member(descriptor, blob, length)
        return _exactly(descriptor, size, max(blob.offset, 0), length)
    except OSError as error:
        raise _refused(error) from None
    finally:
        os.close(descriptor)


def stream_blob(blob: Blob, block: int = _BLOCK) -> Iterator[bytes]:
    """Yield the bytes of a file, of any size, about `block` at a time; a checksum is looked at when all are there.

    Raises:
        UnreadableError: as `read_blob`, but for files that are empty or long.
    """
    with _opened(blob) as (descriptor, length):
        if blob.crc < 0:
            size = length if blob.offset < 0 else blob.size
            yield from _stretch(descriptor, size, max(blob.offset, 0), length, block)
            return
        begin = _begin(descriptor, blob, length)
        blocks = _stretch(descriptor, blob.size if blob.packed < 0 else blob.packed, begin, length, block)
        crc = done = 0
        for data in blocks if blob.packed < 0 else _unpacked(blocks, blob):
            crc, done = zlib.crc32(data, crc), done + len(data)
            if done > blob.size:
                break
            yield data
        if (done, crc) != (blob.size, blob.crc):
            raise UnreadableError(BROKEN_MEMBER, _CHECKED)


def bare_blob(blob: Blob) -> Blob:
    """Return where the bytes of a file lie unpacked: where it lies already, but for the header of a zip's member.

    Raises:
        UnreadableError: it is packed, cut short or damaged.
    """
    if blob.crc < 0:
        return blob
    assert blob.packed < 0, "it has to be unpacked"
    for _ in stream_blob(blob):  # its checksum holds for the whole alone
        pass
    with _opened(blob) as (descriptor, length):
        return Blob(blob.file, blob.size, offset=_begin(descriptor, blob, length), modified=blob.modified)


@contextmanager
def _opened(blob: Blob) -> Iterator[tuple[int, int]]:
    """Open the file that a blob lies in; yield its descriptor and its size."""
    descriptor = _descriptor(blob)
    try:
        yield descriptor, _length(descriptor)
    except OSError as error:
        raise _refused(error) from None
    finally:
        os.close(descriptor)


def _descriptor(blob: Blob) -> int:
    try:
        return os.open(blob.file, _NO_LINK_NO_WAIT)
    except OSError as error:
        raise _refused(error) from None


def _length(descriptor: int) -> int:
    # Opened first and looked at then: what lies there cannot be exchanged in between.
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        raise UnreadableError("not a regular file")
    return state.st_size


def _refused(error: OSError) -> UnreadableError:
    if error.errno == errno.ELOOP:
        return UnreadableError("symbolic link")
    if error.errno == errno.ENXIO:  # a socket
        return UnreadableError("not a regular file")
    return UnreadableError("cannot be read", os.strerror(error.errno or 0))


def _exactly(descriptor: int, size: int, offset: int, length: int) -> bytes:
    there = max(0, length - offset)
    if offset < 0 or not 0 <= size <= there:  # before memory is asked for
        raise UnreadableError("cut short", f"{there} of {size} bytes are there")
    data = os.pread(descriptor, size, offset)
    while len(data) < size:  # a read may stop early, on network disks and beyond 2 GiB
        more = os.pread(descriptor, size - len(data), offset + len(data))
        if not more:
            raise UnreadableError("cut short", f"{len(data)} of {size} bytes are there")
        data += more
    return data


def _stretch(descriptor: int, size: int, offset: int, length: int, block: int) -> Iterator[bytes]:
    if size > length - offset:
        raise UnreadableError("cut short", f"{max(0, length - offset)} of {size} bytes are there")
    for at in range(offset, offset + size, block):
        yield _exactly(descriptor, min(block, offset + size - at), at, length)


def _begin(descriptor: int, blob: Blob, length: int) -> int:
    """Return where the bytes of a zip member begin, behind its header."""
    signature, name, extra = _LOCAL_HEADER.unpack(_exactly(descriptor, _LOCAL_HEADER.size, blob.offset, length))
    if signature != _LOCAL_SIGNATURE:
        raise UnreadableError(BROKEN_MEMBER, "its header is not where the archive says")
    if blob.size < 0:
        raise UnreadableError(BROKEN_MEMBER, "its size is negative")
    return blob.offset + _LOCAL_HEADER.size + int(name) + int(extra)


def _member(descriptor: int, blob: Blob, length: int) -> bytes:
    """Read a zip member; its sizes come from the central directory and are held against what is there."""
    begin = _begin(descriptor, blob, length)
    if blob.packed < 0:
        data = _exactly(descriptor, blob.size, begin, length)
    else:
        packed = _exactly(descriptor, blob.packed, begin, length)
        if blob.method == DEFLATE:  # in one call, for it is the method of nearly all
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, blob.size + 1)
            except zlib.error as error:
                raise UnreadableError(BROKEN_MEMBER, str(error)) from None
        else:
            data = _joined(_unpacked([packed], blob), blob.size)
    if len(data) != blob.size or zlib.crc32(data) != blob.crc:
        raise UnreadableError(BROKEN_MEMBER, _CHECKED)
    return data


def _unpacked(blocks: Iterable[bytes], blob: Blob) -> Iterator[bytes]:
    try:
        yield from unpacked(blocks, blob.method, blob.size)
    except BROKEN as error:
        raise UnreadableError(BROKEN_MEMBER, reason_of(error)) from None


def _joined(blocks: Iterable[bytes], most: int) -> bytes:
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > most:
            break
    return bytes(data)
