"""MNIST and its family: IDX files of images and of labels, gzipped or not, one pair for each split."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import Blob
from gan.data.files.tree import Entry, Tree
from gan.data.records import SplitName
from gan.data.sources.arrays import Records, plain_file, runs
from gan.data.sources.splits import split_names
from gan.errors import DatasetError

# train-images-idx3-ubyte.gz, t10k-images.idx3-ubyte, emnist-letters-train-images-idx3-ubyte
_NAME = re.compile(r"(.*[/-])?(?P<split>[A-Za-z0-9]+)-(?P<what>images|labels)[-.]idx[13]-ubyte(\.gz)?", re.I)
_MAGIC_IMAGES, _MAGIC_LABELS = 0x803, 0x801
_LARGEST_SIDE = 4096


class _Pair(NamedTuple):
    entry: Entry
    file: Path
    shape: tuple[int, int, int]
    labels: NDArray[np.uint8]
    split: SplitName | None


class IdxSource:
    """Pairs of files as MNIST has them: `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, `t10k-…` and so on.

    Classes are named by their numbers, for the files hold no names. EMNIST, which comes out of Matlab column by
    column, is turned upright.

    Args:
        tree: the files.
        scratch: folder for what has to be unpacked.

    Raises:
        DatasetError: a file is missing, cut short or malformed, or images and labels are not equally many.
    """

    kind: SourceKind = "idx"

    def __init__(self, tree: Tree, scratch: Path) -> None:
        self.name = tree.name
        found = {
            (entry.path[: match.start("split")], match["split"].lower(), match["what"].lower()): entry
            for entry in tree.entries
            if (match := _match(entry.path))
        }
        images = sorted(key for key in found if key[2] == "images")
        if len({before for before, _, _ in images}) > 1:
            raise DatasetError(
                f"{tree.where} holds several IDX datasets ({', '.join(found[key].path for key in images)}): "
                "give a folder with the files of one"
            )
        self._by_column = all(_is_emnist(key[0]) for key in images)
        upright = "the images lie column by column in their files, as EMNIST's do, and were turned upright"
        self.notes: tuple[str, ...] = (upright,) if self._by_column else ()
        splits = split_names(_plain(split) for _, split, _ in images)
        self.has_split = splits is not None
        pairs = []
        for before, split, _ in images:
            labels = found.get((before, split, "labels"))
            if labels is None:
                path = found[before, split, "images"].path
                raise DatasetError(f"{tree.where} has {path} but not the labels that belong to it: add that file")
            which = splits[_plain(split)] if splits else None
            pairs.append(_open_pair(found[before, split, "images"], labels, which, tree.where, scratch))
        self._pairs = sorted(pairs, key=lambda pair: (pair.split == "test", pair.entry.path))
        self._names = np.unique(np.concatenate([pair.labels for pair in pairs]))
        self.class_names: tuple[str, ...] = tuple(str(label) for label in self._names)

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(len(pair.labels) for pair in self._pairs)

    def parts(self) -> Sequence[Records]:
        """Cut each file into parts."""
        parts = []
        for entry, file, shape, labels, split in self._pairs:
            indices = np.searchsorted(self._names, labels)
            blob = Blob(str(file), entry.blob.size, modified=entry.blob.modified)
            for run in runs(len(labels), shape[0] * shape[1]):
                own = tuple(indices[run.start : run.stop].tolist())
                at, count, classes = run.start, len(run), len(self.class_names)
                place = (entry.path, blob, at, count, 16, 0, (shape[1], shape[0], 1) if self._by_column else shape)
                parts.append(Records(*place, False, classes, split, own, by_column=self._by_column))
        return parts


def is_idx(path: str) -> bool:
    """Return whether a file is called like MNIST's images."""
    match = _match(path)
    return bool(match and match["what"].lower() == "images")


def _match(path: str) -> re.Match[str] | None:
    return _NAME.fullmatch(path)


def _is_emnist(before: str) -> bool:
    return before.rsplit("/", 1)[-1].lower().startswith("emnist")


def _plain(split: str) -> str:
    return "test" if split == "t10k" else split


def _open_pair(images: Entry, labels: Entry, split: SplitName | None, where: str, scratch: Path) -> _Pair:
    file = plain_file(images, where, scratch)
    count, height, width = _header(file, _MAGIC_IMAGES, 3, f"{images.path} in {where}")
    if not 0 < height <= _LARGEST_SIDE or not 0 < width <= _LARGEST_SIDE:
        raise DatasetError(f"{images.path} in {where} says that its images are {width}x{height} pixels: fetch it again")
    label_file = plain_file(labels, where, scratch)
    (label_count,) = _header(label_file, _MAGIC_LABELS, 1, f"{labels.path} in {where}")
    if count != label_count:
        raise DatasetError(
            f"{images.path} in {where} has {count} images but {labels.path} has {label_count} labels: "
            "they do not belong together"
        )
    values = np.fromfile(label_file, np.uint8, offset=8)
    return _Pair(images, file, (height, width, 1), values, split)


def _header(file: Path, magic: int, dimensions: int, where: str) -> list[int]:
    """Read the sizes in an IDX header, and hold them against the file's own size."""
    length = 4 + 4 * dimensions
    with file.open("rb") as opened:
        head = np.frombuffer(opened.read(length), ">u4").tolist() if file.stat().st_size >= length else [0]
    if head[0] != magic:
        raise DatasetError(f"{where} is no IDX file of unsigned bytes in {dimensions} dimensions: fetch it again")
    sizes: list[int] = head[1:]
    wanted, there = length + int(np.prod(sizes, dtype=object)), file.stat().st_size
    if not sizes[0]:
        raise DatasetError(f"{where} holds 0 images or labels: fetch it again")
    if wanted != there:
        raise DatasetError(f"{where} should be {wanted:,} bytes by its header but is {there:,}: fetch it again")
    return sizes
