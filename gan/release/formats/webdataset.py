"""WebDataset shards: tar files with `KEY.png`, `KEY.cls` and `KEY.json` of each image; the key is its seed.

The tars are written and read by ourselves: without times, owners or padding, so that equal images give equal bytes, and
in a fifth of the time that `tarfile` takes.

Reference: POSIX.1-1988, the ustar interchange format.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from gan.data.store.shards import shard_name, shard_paths
from gan.release.shard import Row, Shard, broken, no_lines, png_payloads, png_pixels

INDEX_FILE = None
INDEX_HEADER = b""
payloads = png_payloads
pixels = png_pixels
index_lines = no_lines

_BLOCK = 512
_MODE_AND_OWNER = b"0000644\0" + 2 * b"0000000\0"
_TIME = b"00000000000\0"
_REST = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + 2 * b"0000000\0" + bytes(155 + 12)
_FIXED_SUM = sum(_MODE_AND_OWNER) + sum(_TIME) + sum(b" " * 8) + sum(_REST)
_SUFFIX = "tar"


def files(shard: Shard) -> Iterator[tuple[str, bytes]]:
    """Yield the one file of a shard."""
    pieces: list[bytes] = []
    columns = zip(shard.payloads, shard.digests, shard.seeds.tolist(), shard.labels.tolist(), strict=True)
    for payload, digest, seed, label in columns:
        facts: dict[str, object] = {**shard.marks.fields, "seed": seed, "label": label, "sha256": digest.hex()}
        if label >= 0:
            facts["class"] = shard.class_names[label]
        text = json.dumps(facts, sort_keys=True).encode()
        for name, content in (("png", payload), ("cls", str(label).encode()), ("json", text)):
            pieces += (_header(f"{seed:019d}.{name}", len(content)), content, bytes(-len(content) % _BLOCK))
    yield shard_name("train", shard.index, shard.count, _SUFFIX), b"".join([*pieces, bytes(2 * _BLOCK)])


def stored(folder: Path, files: Iterable[str]) -> Iterator[bytes]:
    """As `Format.stored`."""
    return (row.payload for file in files for row in rows(folder / file))


def shards(folder: Path) -> list[Path]:
    """Return the files.

    Raises:
        DatasetError: there are none, or one is missing.
    """
    return shard_paths(folder, "train", _SUFFIX)


def rows(path: Path) -> Iterator[Row]:
    """Yield the images of one file that `files` made.

    Raises:
        DatasetError: it is broken, or another program's.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while size - file.tell() > 2 * _BLOCK:
                key, payload = _member(file, size, "png")
                members = {name: _member(file, size, name) for name in ("cls", "json")}
                if any(other != key for other, _ in members.values()):
                    raise ValueError("the parts of an image do not lie together")
                digest = json.loads(members["json"][1])["sha256"]
                yield Row(payload, int(key), int(members["cls"][1]), digest)
            if file.read() != bytes(2 * _BLOCK):
                raise ValueError("it does not end as a tar does")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise broken(path, error) from None


def _header(name: str, size: int) -> bytes:
    named, sized = name.encode().ljust(100, b"\0"), b"%011o\0" % size
    checksum = _FIXED_SUM + sum(named) + sum(sized)
    return b"".join((named, _MODE_AND_OWNER, sized, _TIME, b"%06o\0 " % checksum, _REST))


def _member(file: BinaryIO, size: int, suffix: str) -> tuple[str, bytes]:
    """Read one member, which must look as `_header` writes it; return its key and its content."""
    header = file.read(_BLOCK)
    key, length = header[:19].decode("ascii"), int(header[124:135], 8)
    if not key.isdecimal() or not 0 <= length <= size or header != _header(f"{key}.{suffix}", length):
        raise ValueError(f"a member is no {suffix} of an image")
    content = file.read(length + -length % _BLOCK)
    if len(content) < length:
        raise ValueError("it is cut short")
    return key, content[:length]
