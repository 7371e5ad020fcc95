"""Compressed files unpacked within limits, under names of ours, in a scratch folder that a later run finds again."""

import bz2
import gzip
import hashlib
import lzma
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from gan.data.files.archive import HARMLESS_BYTES, refuse_bomb
from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.files.blob import Blob, UnreadableError, stream_blob
from gan.errors import DatasetError, ResourcesError

_BLOCK = 2**20
_RESERVED_BYTES = 2**28  # left free for everything else on the disk
_MAGIC: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


def is_compressed(head: bytes) -> bool:
    """Return whether a file that begins so is gzip, bzip2 or xz."""
    return any(head.startswith(magic) for magic in _MAGIC)


def head_of(blob: Blob, count: int = 512) -> bytes:
    """Return the first bytes of a file, at most `count`; nothing where it cannot be read."""
    head = b""
    try:
        for block in stream_blob(blob, count):
            head += block[:count]
            if len(head) >= count:
                break
    except UnreadableError:
        return b""
    return head[:count]


def unpack(file: Path, where: str, scratch: Path) -> Path:
    """Unpack a gzip, bzip2 or xz file.

    Args:
        file: the packed file.
        where: what to call it in messages.
        scratch: folder for the result; one that is complete is found there again.

    Returns:
        The unpacked file, named by the packed one's place, size and age.

    Raises:
        DatasetError: it is broken, cut short, or swells beyond all reason.
        ResourcesError: the disk is too full for it.
    """
    state = file.stat()
    result = scratch / scratch_name(str(file.resolve()), state.st_size, state.st_mtime_ns)
    if not result.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_drafts(scratch)
        with replacing(result) as draft, file.open("rb") as packed, draft.open("wb") as out:
            _copy(packed, out, state.st_size, where)
    return result


def _copy(packed: IO[bytes], out: IO[bytes], size: int, where: str) -> None:
    head = packed.read(8)
    packed.seek(0)
    opener = next(make for magic, make in _MAGIC.items() if head.startswith(magic))
    done = 0
    try:
        with opener(packed) as stream:
            while block := stream.read(_BLOCK):
                done += len(block)
                refuse_bomb(done, size, where)
                if done % HARMLESS_BYTES < len(block):
                    require_space(Path(out.name), where)
                out.write(block)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ValueError) as error:
        raise DatasetError(
            f"{where} is broken or cut short after {done:,} unpacked bytes ({error}): fetch it again"
        ) from None
    except OSError as error:
        if error.errno is None:  # bzip2's way to say that the data is invalid
            raise DatasetError(f"{where} is broken ({error}): fetch it again") from None
        raise


def own_file(blob: Blob, where: str, scratch: Path) -> Path:
    """Return a file that holds exactly these bytes: the file itself, or a copy in `scratch` of an archive's member.

    Raises:
        DatasetError: the member cannot be read.
    """
    if blob.offset < 0:
        return Path(blob.file)
    result = scratch / scratch_name(blob.file, blob.offset, blob.size, blob.modified)
    if not result.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_drafts(scratch)
        require_space(scratch, where, blob.size)
        try:
            with replacing(result) as draft, draft.open("wb") as out:
                for block in stream_blob(blob):
                    out.write(block)
        except UnreadableError as error:
            raise DatasetError(f"{where} is no usable file ({error.reason}): fetch the archive again") from None
    return result


def require_space(folder: Path, where: str, size: int = 0) -> None:
    """Refuse to fill the disk.

    Raises:
        ResourcesError: less than `size` bytes and a reserve are free.
    """
    free = shutil.disk_usage(folder if folder.is_dir() else folder.parent).free
    if free < size + _RESERVED_BYTES:
        raise ResourcesError(
            f"the disk of {folder.parent} has {free >> 20} MiB left, too little to unpack {where}: free some space"
        )


def scratch_name(*parts: object) -> str:
    """Return what a file in the scratch folder is called after what it is made of."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
