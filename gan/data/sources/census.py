"""Which files of a collection are images, which belong to them in another way, and which are neither."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree
from gan.data.pixels.decode import is_image_name
from gan.data.pixels.formats import HEAD_BYTES, format_of
from gan.data.records import Reject

UNKNOWN = "no known sort of image"
LEFT_BEHIND = "left behind by systems"
EXCLUDED = "left out by --exclude"
NOT_READ = "images that are left out"
_PEEKED_BYTES = 2**26  # a packed file is unpacked whole for a look at its first bytes

_SYSTEM_NAMES = {"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"}
_DOCUMENT_NAMES = {"licence", "license", "copying", "readme", "notice", "citation", "authors", "changelog", "makefile"}
_KINDS = {
    "tables and annotations": "csv tsv json jsonl geojson xml txt yaml yml toml ini cfg parquet lst names cls ann",
    "documents": "md rst pdf html htm css js rtf doc docx odt tex bib log url svg",
    "programs": "py pyc ipynb sh bat m r jl c cc cpp h java lua",
    "checksums": "md5 sha1 sha256 sha512 crc sfv sig asc",
    "data about images": "xmp aae thm exif dvc gitignore lock",
}
ONE_OF = {
    "tables and annotations": "table or annotation",
    "documents": "document",
    "programs": "program",
    "checksums": "checksum",
    "empty files": "empty file",
    NOT_READ: "image that is left out",
}
"""What a single one is called, where it is called otherwise."""
_KIND_OF = {ending: kind for kind, endings in _KINDS.items() for ending in endings.split()}


@dataclass(frozen=True)
class Census:
    """All files of a collection: images, companions of them, and rejects, with nothing left over.

    Attributes:
        files: how many there are, counted when they were listed.
        companions: what is no image and is not expected to be one, by what it is.
        absent: records of a source that are no file, such as rows that name one that is not there.
        holders: files that hold many images each; 0 where each image is a file.
        strays: files beside those that are rejects.
    """

    files: int
    companions: Mapping[str, int]
    absent: int = 0
    holders: int = 0
    strays: int = 0


@dataclass
class Sorted:
    """The files of a tree, sorted; `companions` grows where images are found to be none of the dataset.

    Attributes:
        images: what is an image by its name or its first bytes.
        others: companions that may hold labels.
        rejects: what may not be read, or is no known sort of file.
        companions: how many files of each sort are no images and not expected to be.
    """

    images: list[Entry] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    companions: Counter[str] = field(default_factory=Counter)


def sort_files(tree: Tree, exclude: Iterable[str] = ()) -> Sorted:
    """Sort the files of a tree.

    Where the ending of a name does not say what a file is, its first bytes do.

    Args:
        tree: the files.
        exclude: patterns of paths that are left out; `*` stands for anything, slashes too.
    """
    found = Sorted()
    found.companions[LEFT_BEHIND] += tree.hidden
    patterns = list(exclude)
    for entry in tree.entries:
        if patterns and matches(entry.path, patterns):
            found.companions[EXCLUDED] += 1
        elif is_image_name(entry.path):
            found.images.append(entry)
        elif kind := companion_kind(entry.path):
            found.companions[kind] += 1
            found.others.append(entry)
        else:
            _look(entry, found)
    for reject in tree.rejects:
        if matches(reject.path, patterns):
            found.companions[EXCLUDED] += 1
        elif kind := companion_kind(reject.path):
            found.companions[kind] += 1
        else:
            found.rejects.append(reject)
    return found


def companion_kind(path: str) -> str:
    """Return what a file is by its name where it is no image and not expected to be one; else nothing."""
    name = path.rpartition("/")[2].lower()
    if name in _SYSTEM_NAMES:
        return LEFT_BEHIND
    stem, dot, ending = name.rpartition(".")
    if dot and ending in _KIND_OF:
        return _KIND_OF[ending]
    return "documents" if (stem if dot else name) in _DOCUMENT_NAMES else ""


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Return whether a path fits one of some patterns, in which `*` stands for anything, slashes too."""
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _look(entry: Entry, found: Sorted) -> None:
    try:
        head = _head(entry.blob)
    except UnreadableError as error:
        if error.reason == "empty file":  # as `_SUCCESS` is
            found.companions["empty files"] += 1
        else:
            found.rejects.append(Reject(entry.path, error.reason, error.detail))
        return
    if format_of(head):
        found.images.append(entry)
    else:
        ending = entry.path.rpartition("/")[2].rpartition(".")
        found.rejects.append(Reject(entry.path, UNKNOWN, f".{ending[2]}" if ending[1] else "a name without an ending"))


def _head(blob: Blob) -> bytes:
    if blob.crc >= 0:
        return read_blob(blob)[:HEAD_BYTES] if blob.size <= _PEEKED_BYTES else b""
    return read_blob(Blob(blob.file, min(blob.size, HEAD_BYTES), max(blob.offset, 0)))
