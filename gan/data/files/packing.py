"""The methods by which members of a zip are packed, each undone a block at a time, so that nothing swells unseen."""

import bz2
import importlib.util
import lzma
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

STORED, DEFLATE, DEFLATE64, BZIP2, LZMA = 0, 8, 9, 12, 14
# What is raised for bytes that are not packed so.
BROKEN = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
_BLOCK = 2**20
_DICTIONARY_BYTES = 2**28  # LZMA's memory, which a header may claim without end
_LZMA_HEADER = struct.Struct("<2xH5s")  # size of the properties, always 5, and those
_DEFLATE64_BYTES = 256  # given at a time: its library knows no limit, and unpacks up to 27,000 times as many


def reads(method: int) -> bool:
    """Return whether members that are packed so can be unpacked here; Deflate64 needs an extra package."""
    if method == DEFLATE64:
        return importlib.util.find_spec("inflate64") is not None
    return method in {STORED, DEFLATE, BZIP2, LZMA}


def unpacked(blocks: Iterable[bytes], method: int, size: int) -> Iterator[bytes]:
    """Unpack a member, about a megabyte at a time; it may be shorter or longer than it should.

    Args:
        blocks: its packed bytes.
        method: one that `reads` knows, but `STORED`.
        size: how many bytes it should become.

    Raises:
        Exception: one of `BROKEN`, where it is broken.
    """
    if method == DEFLATE64:
        return _deflated64(blocks)
    if method == BZIP2:
        return _stream(blocks, bz2.BZ2Decompressor())
    return _lzma(blocks, size) if method == LZMA else _deflated(blocks)


def _deflated(blocks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for block in blocks:
        while block:
            yield unpacker.decompress(block, _BLOCK)
            block = unpacker.unconsumed_tail
    yield unpacker.flush()


def _deflated64(blocks: Iterable[bytes]) -> Iterator[bytes]:
    import inflate64

    unpacker = inflate64.Inflater()
    for block in blocks:
        for at in range(0, len(block), _DEFLATE64_BYTES):
            yield unpacker.inflate(block[at : at + _DEFLATE64_BYTES])


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _lzma(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Unpack LZMA under the header of a file of its own, which says the same in another order."""
    stream = iter(blocks)
    first = next(stream, b"")
    if len(first) < _LZMA_HEADER.size:
        raise EOFError("it ends within its header")
    length, properties = _LZMA_HEADER.unpack_from(first)
    if length != len(properties):
        raise lzma.LZMAError(f"{length} bytes of properties, where LZMA has {len(properties)}")
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_DICTIONARY_BYTES)
    yield unpacker.decompress(properties + struct.pack("<Q", size), _BLOCK)
    yield from _stream([first[_LZMA_HEADER.size :]], unpacker)
    yield from _stream(stream, unpacker)


def _stream(blocks: Iterable[bytes], unpacker: _Unpacker) -> Iterator[bytes]:
    for block in blocks:
        while not unpacker.eof:
            yield unpacker.decompress(block, _BLOCK)
            block = b""
            if unpacker.needs_input:
                break
