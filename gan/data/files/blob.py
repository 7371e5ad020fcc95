"""One file's bytes, wherever they lie: a file of their own, a stretch of a tar, a member of a zip."""

import errno
import os
import stat
import struct
import zlib
from typing import NamedTuple

MAX_FILE_BYTES = 2**29
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
        packed: their size in a zip where they are deflated, or -1: they lie there as they are.
        crc: CRC-32 that they must have, or -1: none is known. Only members of a zip have one.
        modified: when `file` was changed last, in nanoseconds.
    """

    file: str
    size: int
    offset: int = -1
    packed: int = -1
    crc: int = -1
    modified: int = 0


def read_blob(blob: Blob, most: int = MAX_FILE_BYTES) -> bytes:
    """Read the bytes of a file; links are not followed and pipes not waited for.

    Raises:
        UnreadableError: empty, longer than `most` bytes, no regular file, cut short, or not readable.
    """
    try:
        # Opened first and looked at then: what lies there cannot be exchanged in between.
        descriptor = os.open(blob.file, _NO_LINK_NO_WAIT)
    except OSError as error:
        raise _refused(error) from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise UnreadableError("not a regular file")
        size = state.st_size if blob.offset < 0 else blob.size
        if size == 0:
            raise UnreadableError("empty file")
        if size > most:
            raise UnreadableError("too large", f"more than {most:,} bytes")
        if blob.crc >= 0:
            return _member(descriptor, blob, state.st_size)
        return _exactly(descriptor, size, max(blob.offset, 0), state.st_size)
    except OSError as error:
        raise _refused(error) from None
    finally:
        os.close(descriptor)


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


def _member(descriptor: int, blob: Blob, length: int) -> bytes:
    """Read a zip member; its sizes come from the central directory and are held against what is there."""
    signature, name, extra = _LOCAL_HEADER.unpack(_exactly(descriptor, _LOCAL_HEADER.size, blob.offset, length))
    if signature != _LOCAL_SIGNATURE:
        raise UnreadableError("broken archive member", "its header is not where the archive says")
    if blob.size < 0:
        raise UnreadableError("broken archive member", "its size is negative")
    begin = blob.offset + _LOCAL_HEADER.size + name + extra
    if blob.packed < 0:
        data = _exactly(descriptor, blob.size, begin, length)
    else:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpacker.decompress(_exactly(descriptor, blob.packed, begin, length), blob.size + 1)
        except zlib.error as error:
            raise UnreadableError("broken archive member", str(error)) from None
    if len(data) != blob.size or zlib.crc32(data) != blob.crc:
        raise UnreadableError("broken archive member", "its size or checksum is not what the archive says")
    return data
