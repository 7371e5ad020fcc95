"""A release of synthetic images as a source: its files as its manifest says, with the classes that it was drawn of."""

import contextlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from gan.configuration.vocabulary import ReleaseFormat, SourceKind
from gan.data.files.archive import tar_tree, zip_tree
from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.files.tree import Entry, Tree
from gan.data.files.unpack import own_file
from gan.data.origin import Origin
from gan.data.records import MANIFEST, OUT_OF_RANGE, UNLABELLED, UNLABELLED_NAME, Part, Source
from gan.data.sources.arrays import Records, plain_file, runs
from gan.data.sources.folder import FolderSource
from gan.data.sources.labels.classes import MAX_CLASSES
from gan.data.sources.labels.files import LabelFile
from gan.data.sources.labels.finding import read_labels
from gan.data.sources.webdataset import WebDatasetSource
from gan.errors import DatasetError, InputError

Numbers = NDArray[np.int64]

_MOST_MANIFEST = 2**28
_MOST_NAME = 1000
_SHOWN = 100
_IMAGES = "train/"
_INDEX = f"{_IMAGES}metadata.csv"
_LARGEST_SIDE = 4096
_MOST_HEADER = 1000
_SUFFIXES = {"parquet": ".parquet", "webdataset": ".tar", "npz": ".npz"}


@dataclass(frozen=True)
class Released:
    """What a release's manifest says of it.

    Attributes:
        name: of the release.
        model: name and version that drew it, in words.
        format: of its files.
        class_names: by label; empty where images have none.
        files: that it is made of.
        origin: licence, address and credit of the images that the model was trained on, where the manifest has them.
    """

    name: str
    model: str
    format: ReleaseFormat
    class_names: tuple[str, ...]
    files: frozenset[str]
    origin: Origin

    @property
    def note(self) -> str:
        """Say what the images are."""
        return f"these images are synthetic: {self.model} drew them as release {self.name}"


def read_released(tree: Tree) -> Released | None:
    """Return what a tree's manifest says, or None where it holds no release; whoever wrote the tree wrote that, too."""
    entry = next((each for each in tree.entries if each.path == MANIFEST), None)
    if entry is None:
        return None
    try:
        return _released(json.loads(read_blob(entry.blob, most=_MOST_MANIFEST)))
    except (UnreadableError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _released(manifest: Mapping[str, Any]) -> Released:
    names, model, form = list(manifest["counts"]), manifest["model"], manifest["generation"].get("format", "parquet")
    files = frozenset(manifest["files"])
    texts = (manifest["name"], model["name"], *names)
    if not all(isinstance(text, str) and 0 < len(text) <= _MOST_NAME and "\0" not in text for text in texts):
        raise ValueError("a name is none")
    "".join(texts).encode()  # JSON can spell half of a surrogate pair
    if form not in get_args(ReleaseFormat) or type(model["version"]) is not int or len(names) > MAX_CLASSES:
        raise ValueError("no release")
    return Released(
        name=manifest["name"][:_SHOWN],
        model=f"version {model['version']} of {model['name'][:_SHOWN]}",
        format=form,
        class_names=() if names == [UNLABELLED_NAME] else tuple(names),
        files=files,
        origin=_origin_of(manifest.get("dataset")),
    )


def _origin_of(dataset: object) -> Origin:
    """Return what a manifest says of the images behind a release, as far as it could have been said to an ingest."""
    told = dataset if isinstance(dataset, dict) else {}
    found = {}
    for field in ("licence", "source_url", "credit"):
        if isinstance(text := told.get(field), str):
            with contextlib.suppress(InputError):
                found[field] = getattr(Origin(**{field: text}).checked(), field) or None
    return Origin(**found)


class ReleaseSource:
    """The images of a release with their labels; what else lies in its folder is about it, and no image of it.

    Args:
        tree: its files.
        released: what its manifest says.
        background: RGB under transparent pixels.
        scratch: folder for what has to be unpacked.
        use_labels: whether labels are read.

    Attributes:
        origin: of the images that it stems from: whatever is made of it owes them as much.

    Raises:
        DatasetError: a file that the manifest names is missing, or broken.
    """

    kind: SourceKind = "release"
    has_split = False

    def __init__(
        self,
        tree: Tree,
        released: Released,
        background: tuple[int, int, int],
        scratch: Path,
        *,
        use_labels: bool = True,
    ) -> None:
        self.name = tree.name
        if not use_labels:
            released = replace(released, class_names=())
        inner = _OPENERS[released.format](_Opening(_files_of(tree, released), released, background, scratch))
        self._parts, self._count, self.tally = inner.parts, len(inner), getattr(inner, "tally", None)
        self.class_names = inner.class_names if use_labels else ()
        self.notes: tuple[str, ...] = (released.note, *inner.notes)
        self.origin = released.origin

    def __len__(self) -> int:
        """Return the number of images, readable or not."""
        return self._count

    def parts(self) -> Sequence[Part]:
        """Cut the images into parts."""
        return self._parts()


class _Opening(NamedTuple):
    tree: Tree
    released: Released
    background: tuple[int, int, int]
    scratch: Path


def _files_of(tree: Tree, released: Released) -> Tree:
    """Return the tree of a release's images alone."""
    if released.format == "imagefolder":
        below = tuple(
            Entry(each.path.removeprefix(_IMAGES), each.blob) for each in tree.entries if each.path.startswith(_IMAGES)
        )
        return replace(tree, entries=below, empty_folders=())
    wanted = {name for name in released.files if name.endswith(_SUFFIXES[released.format])}
    entries = tuple(each for each in tree.entries if each.path in wanted)
    missing = sorted(wanted - {each.path for each in entries})
    if missing or not wanted:
        raise DatasetError(
            f"the release in {tree.where} lacks {missing[0] if missing else 'files of images'}, which its {MANIFEST} "
            "names: fetch it again"
        )
    return replace(tree, entries=entries)


def _parquet(given: _Opening) -> Source:
    from gan.data.sources.parquet.source import ParquetSource  # loads pyarrow

    tree, released, background, scratch = given
    return ParquetSource(tree, background, scratch, use_labels=bool(released.class_names))


def _webdataset(given: _Opening) -> Source:
    tree, released, background, scratch = given
    tars = [tar_tree(plain_file(each, tree.where, scratch), each.path) for each in tree.entries]
    names = released.class_names
    return WebDatasetSource(tars, tree.name, background, use_labels=bool(names), class_names=names)


def _imagefolder(given: _Opening) -> Source:
    tree, released, background, _ = given
    index = next((each for each in tree.entries if f"{_IMAGES}{each.path}" == _INDEX), None)
    if index is None:
        raise DatasetError(f"the release in {tree.where} lacks {_INDEX}: fetch it again")
    return FolderSource(tree, background, _labels_of(read_labels(_INDEX, index.blob), released.class_names))


def _labels_of(file: LabelFile, class_names: tuple[str, ...]) -> LabelFile:
    """Return the labels of a release's index, whose classes are numbers, with the names of the classes."""
    if not class_names:
        return LabelFile(dict.fromkeys(file.labels, UNLABELLED), (), file.rejects)
    by_number = {str(label): label for label in range(len(class_names))}
    meant = {place: by_number.get(name) for place, name in enumerate(file.class_names)} | {UNLABELLED: UNLABELLED}
    labels = {path: label for path, place in file.labels.items() if (label := meant[place]) is not None}
    outside = tuple((path, OUT_OF_RANGE) for path in file.labels.keys() - labels.keys())
    return LabelFile(labels, class_names, (*file.rejects, *sorted(outside)))


class _Shard(NamedTuple):
    entry: Entry
    images: Blob
    offset: int
    shape: tuple[int, int, int]
    labels: Numbers


class _NpzSource:
    """Shards of NumPy arrays: `images` and `labels` in a zip, as releases have them."""

    kind: SourceKind = "release"
    has_split = False
    notes: tuple[str, ...] = ()

    def __init__(self, given: _Opening) -> None:
        self.name, self.class_names = given.tree.name, given.released.class_names
        self._shards = [_open_shard(each, given.tree.where, given.scratch) for each in given.tree.entries]

    def __len__(self) -> int:
        return sum(len(shard.labels) for shard in self._shards)

    def parts(self) -> Sequence[Records]:
        parts, classes = [], len(self.class_names)
        for entry, images, offset, shape, numbers in self._shards:
            # without classes nothing is asked of a label; a number below -1 is as wrong as one that is too large
            known = np.where(numbers < UNLABELLED, classes, numbers) if classes else np.full_like(numbers, UNLABELLED)
            for run in runs(len(known), math.prod(shape)):
                own, at = tuple(known[run.start : run.stop].tolist()), run.start
                parts.append(Records(entry.path, images, at, len(run), offset, 0, shape, False, classes, None, own))
        return parts


def _open_shard(entry: Entry, where: str, scratch: Path) -> _Shard:
    members = {each.path: each.blob for each in zip_tree(plain_file(entry, where, scratch), entry.path).entries}
    name = f"{entry.path} in {where}"
    try:
        file = own_file(members["images.npy"], name, scratch)
        images = Blob(str(file), file.stat().st_size, modified=members["images.npy"].modified)
        with file.open("rb") as stream:
            shape, dtype, offset = _header(stream.read(_MOST_HEADER))
        content = read_blob(members["labels.npy"])
        counted, of_labels, first = _header(content[:_MOST_HEADER])
        labels = np.frombuffer(content, np.int64, offset=first)
        sound = dtype == np.uint8 and of_labels == np.int64 and len(shape) == 4 and counted == labels.shape == shape[:1]
        sound = sound and all(0 < side <= _LARGEST_SIDE for side in shape[1:3]) and shape[3] in (1, 3)
        if not sound or images.size != offset + math.prod(shape):
            raise ValueError("its arrays are not those of a release")
    except (KeyError, ValueError, UnreadableError) as error:
        raise DatasetError(f"{name} is broken ({error}): fetch it again") from None
    return _Shard(entry, images, offset, (shape[1], shape[2], shape[3]), labels)


def _header(head: bytes) -> tuple[tuple[int, ...], Any, int]:
    """Return shape, dtype and the place of the first number of an array of NumPy's; nothing is unpickled.

    Raises:
        ValueError: it is no such array, or one that is stored by columns.
    """
    file = io.BytesIO(head)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("an array is of another version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=_MOST_HEADER)
    except (RecursionError, MemoryError, EOFError):
        raise ValueError("an array has no header") from None
    if fortran or dtype.hasobject or any(side < 0 for side in shape):
        raise ValueError("an array is none of a release")
    return shape, dtype, file.tell()


_OPENERS: dict[ReleaseFormat, Callable[[_Opening], Source]] = {
    "parquet": _parquet,
    "webdataset": _webdataset,
    "imagefolder": _imagefolder,
    "npz": _NpzSource,
}
