"""CIFAR-10 and CIFAR-100 as published for C programs: label bytes, then 3,072 bytes of red, green and blue."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree
from gan.data.records import SplitName
from gan.data.sources.arrays import Records, plain_file, runs
from gan.errors import DatasetError

_SHAPE = (32, 32, 3)
_PIXEL_BYTES = 3072
_TEN = re.compile(r"(data_batch_\d+|test_batch)\.bin")
_HUNDRED = re.compile(r"(train|test)\.bin")
_TEN_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class _File(NamedTuple):
    entry: Entry
    file: Path
    images: int
    split: SplitName | None


class CifarSource:
    """`data_batch_1.bin` … `test_batch.bin` (CIFAR-10), or `train.bin` and `test.bin` with two labels (CIFAR-100).

    CIFAR-100's classes are the fine ones. Names come from `batches.meta.txt` or `fine_label_names.txt` where they lie
    beside the files.

    Args:
        tree: the files.
        scratch: folder for what has to be unpacked.

    Raises:
        DatasetError: a file is empty or its size is no whole number of records.
    """

    kind: SourceKind = "cifar"
    notes: tuple[str, ...] = ()

    def __init__(self, tree: Tree, scratch: Path) -> None:
        self.name = tree.name
        chosen = [entry for entry in tree.entries if _TEN.fullmatch(_base(entry))]
        self._label_bytes = 1 if chosen else 2
        chosen = chosen or [entry for entry in tree.entries if _HUNDRED.fullmatch(_base(entry))]
        self.class_names = _names(tree, "batches.meta.txt" if self._label_bytes == 1 else "fine_label_names.txt")
        if not self.class_names:
            self.class_names = _TEN_NAMES if self._label_bytes == 1 else tuple(map(str, range(100)))
        held_out = {_base(entry).startswith("test") for entry in chosen}
        self.has_split = held_out == {True, False}
        files = [self._open(entry, tree.where, scratch) for entry in chosen]
        self._files = sorted(files, key=lambda each: (each.split == "test", _base(each.entry)))

    def _open(self, entry: Entry, where: str, scratch: Path) -> _File:
        file = plain_file(entry, where, scratch)
        record, size = self._label_bytes + _PIXEL_BYTES, file.stat().st_size
        if size % record:
            raise DatasetError(
                f"{entry.path} in {where} is {size:,} bytes, no whole number of CIFAR's records of {record}: "
                "fetch it again"
            )
        split: SplitName = "test" if _base(entry).startswith("test") else "train"
        return _File(entry, file, size // record, split if self.has_split else None)

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(each.images for each in self._files)

    def parts(self) -> Sequence[Records]:
        """Cut each file into parts."""
        parts = []
        for entry, file, count, split in self._files:
            blob = Blob(str(file), entry.blob.size, modified=entry.blob.modified)
            for run in runs(count, _PIXEL_BYTES):
                at, most, classes = run.start, len(run), len(self.class_names)
                parts.append(Records(entry.path, blob, at, most, 0, self._label_bytes, _SHAPE, True, classes, split))
        return parts


def is_cifar(tree: Tree) -> bool:
    """Return whether a tree holds CIFAR's binary files."""
    bases = [_base(entry) for entry in tree.entries if entry.path.endswith(".bin")]
    hundred = [entry.blob.size for entry in tree.entries if _HUNDRED.fullmatch(_base(entry))]
    # Many a program calls its own files train.bin.
    return any(map(_TEN.fullmatch, bases)) or (bool(hundred) and not any(size % (_PIXEL_BYTES + 2) for size in hundred))


def _base(entry: Entry) -> str:
    return entry.path.rsplit("/", 1)[-1]


def _names(tree: Tree, wanted: str) -> tuple[str, ...]:
    for entry in tree.entries:
        if _base(entry) == wanted:
            try:
                text = read_blob(entry.blob, most=2**16).decode("utf-8", "replace")
            except UnreadableError:
                return ()
            return tuple(line.strip() for line in text.splitlines() if line.strip())
    return ()
