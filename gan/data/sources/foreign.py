"""Files of sorts that are not read, told by their first bytes, so that a refusal says what they are and what to do."""

import re
from collections import Counter
from typing import NamedTuple

from gan.data.files.tree import SYMBOLIC_LINK, Entry, Tree
from gan.data.files.unpack import head_of
from gan.data.pixels.decode import is_image_name
from gan.errors import DatasetError
from gan.text.shown import shown

HEAD_BYTES = 512
ARROW = b"ARROW1\0\0"
_LOOKED_AT = 100  # files of a tree; what a collection is shows soon

_ARRAYS = "save its arrays by numpy.savez(path, images=…, labels=…) and give that file"
_UNPACK = "unpack it and give the folder"
_FRAMES = "write its frames as images, such as by ffmpeg -i FILE frames/%06d.png, and give their folder"
_CONVERT = "write its images as files, in a folder for each class"


class Sort(NamedTuple):
    """What a file is, with an article, and what to do instead of giving it."""

    what: str
    instead: str


_PICKLE = Sort("a Python pickle, which could run any program", _ARRAYS)
_CIFAR = Sort("CIFAR's Python version, a pickle", "give its binary version, `cifar-10-binary.tar.gz` or the like")
_TFRECORD = Sort("a TFRecord file", _CONVERT)
_CUT_ZIP = Sort("the beginning of a zip without its end, where the directory is", "fetch it again")
_PICKLED = re.compile(rb"\x80[\x02-\x05]|[(][dl]p\d+\n")
_CIFAR_WORDS = (b"batch_label", b"num_cases_per_batch", b"label_names", b"fine_labels")
# Where, the bytes there, and what begins so.
_MAGIC: tuple[tuple[int, bytes, Sort], ...] = (
    (0, b"MATLAB ", Sort("a MATLAB file", f"load it by scipy.io.loadmat or h5py, and {_ARRAYS}")),
    (0, b"\x89HDF\r\n\x1a\n", Sort("an HDF5 file", _ARRAYS)),
    (344, b"n+1\0", Sort("a NIfTI volume", _ARRAYS)),
    (344, b"ni1\0", Sort("a NIfTI header", _ARRAYS)),
    (4, b"n+2\0\r\n\x1a\n", Sort("a NIfTI volume", _ARRAYS)),
    (0, b"7z\xbc\xaf\x27\x1c", Sort("a 7z archive", _UNPACK)),
    (0, b"Rar!\x1a\x07", Sort("a RAR archive", _UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", Sort("packed by Zstandard", _UNPACK)),
    (0, b"\x04\x22\x4d\x18", Sort("packed by LZ4", _UNPACK)),
    (0, b"PK\x03\x04", Sort("an archive in itself", _UNPACK)),
    (257, b"ustar", Sort("an archive in itself", _UNPACK)),
    (4, b"ftypmp4", Sort("a video", _FRAMES)),
    (4, b"ftypiso", Sort("a video", _FRAMES)),
    (4, b"ftypM4V", Sort("a video", _FRAMES)),
    (4, b"ftypqt", Sort("a video", _FRAMES)),
    (4, b"ftypavc", Sort("a video", _FRAMES)),
    (8, b"AVI LIST", Sort("a video", _FRAMES)),
    (0, b"\x1a\x45\xdf\xa3", Sort("a video", _FRAMES)),
    (0, b"SQLite format 3\0", Sort("an SQLite database", _CONVERT)),
    (0, b"%PDF-", Sort("a PDF document", _CONVERT)),
)
_HINTS = {
    SYMBOLIC_LINK: "put the files themselves there, for links are not followed",
    "path outside the archive": "make the archive again from inside its folder",
}


def is_arrow(entry: Entry) -> bool:
    """Return whether a file is a table of Arrow: one that says so, or a stream that is called so.

    Those that `datasets` keeps for itself, such as results of `map`, are not meant.
    """
    name = entry.path.rpartition("/")[2]
    if name.startswith(("cache-", "indices")):
        return False
    stream = b"\xff\xff\xff\xff" if name.endswith(".arrow") else ARROW
    return head_of(entry.blob, len(ARROW)).startswith((ARROW, stream))


def foreign_sort(head: bytes) -> Sort | None:
    """Tell what a file is by its first `HEAD_BYTES` bytes, where it is of a known sort that is not read."""
    for offset, magic, sort in _MAGIC:
        if head.startswith(magic, offset):
            return sort
    if _PICKLED.match(head):
        return _CIFAR if any(word in head for word in _CIFAR_WORDS) else _PICKLE
    return _TFRECORD if _is_tfrecord(head) else None


def refuse_file(head: bytes, where: str) -> None:
    """Refuse a single file that is of a known sort which is not read.

    Raises:
        DatasetError: it is.
    """
    sort = _CUT_ZIP if head.startswith(b"PK\x03\x04") else foreign_sort(head)
    if sort:
        raise DatasetError(f"{where} is {sort.what}, which is not read: {sort.instead}")


def refuse_unread(tree: Tree) -> None:
    """Refuse a tree none of whose files is called like an image, where it shows why.

    Raises:
        DatasetError: most files must not be read, or some are of a known sort that is not read.
    """
    if any(is_image_name(entry.path) for entry in tree.entries):
        return
    if len(tree.rejects) > len(tree.entries):
        (reason, count), *_ = Counter(reject.reason for reject in tree.rejects).most_common(1)
        detail = next(reject.detail for reject in tree.rejects if reject.reason == reason)
        hint = _HINTS.get(reason) or detail or "make it again"
        raise DatasetError(f"{tree.where} has no file that can be read ({count:,} {reason}): {hint}")
    for entry in tree.entries[:_LOOKED_AT]:
        if sort := foreign_sort(head_of(entry.blob, HEAD_BYTES)):
            name = shown(entry.path)
            raise DatasetError(
                f"{tree.where} holds no image, and {name} is {sort.what}, which is not read: {sort.instead}"
            )


def _is_tfrecord(head: bytes) -> bool:
    """Return whether a file begins with a length and its checksum, which is rotated as TensorFlow has it."""
    if len(head) < 12:
        return False
    crc = _crc32c(head[:8])
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked == int.from_bytes(head[8:12], "little")


def _crc32c(data: bytes) -> int:
    """Return the CRC of Castagnoli, which Python's libraries lack."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
