"""NumPy's files as a source: images in one array of each split, their labels in another."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gan.configuration.vocabulary import SourceKind
from gan.data.files.atomic import replacing, sweep_drafts
from gan.data.files.blob import MAX_FILE_BYTES, Blob, UnreadableError, bare_blob, read_blob
from gan.data.files.tree import Tree, in_tree
from gan.data.files.unpack import own_file, require_space, scratch_name
from gan.data.records import UNLABELLED, SplitName
from gan.data.sources.labels.classes import MAX_CLASSES, Classes, declared_classes, found_classes
from gan.data.sources.splits import split_names
from gan.data.sources.stacks.choose import Array, Pair, list_arrays, pair
from gan.data.sources.stacks.header import Header
from gan.data.sources.stacks.labels import Codes, as_text, read_codes, without_labels
from gan.data.sources.stacks.part import Layout, Stack, cut_stack, find_layout
from gan.data.sources.stacks.values import Reading, chunks, find_reading, value_range
from gan.errors import DatasetError
from gan.text.shown import shown

_LISTED = 6


class _Images(NamedTuple):
    path: str
    file: Blob
    header: Header
    layout: Layout
    codes: Codes | None
    split: str


class NumpySource:
    """Arrays in `.npy` and `.npz` files: `images` and `labels`, `x_train` and `y_train`, `test_images` and so on.

    Images are `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` of bytes, other whole numbers or floats. Where not all lie
    within 0 to 255, and of floats, a window of the whole dataset says what is black and white. Labels are `[N]` or
    `[N, 1]` numbers or texts, or one-hot `[N, K]`; an array `class_names` names them.

    Args:
        tree: the files.
        scratch: folder for what has to be unpacked or put in order; a later run finds it there again.
        use_labels: whether an array of labels is taken.

    Raises:
        DatasetError: there are no images, it is not plain which array is meant, or one is broken.
        ResourcesError: the disk is too full.
    """

    kind: SourceKind = "numpy"

    def __init__(self, tree: Tree, scratch: Path, *, use_labels: bool = True) -> None:
        self.name = tree.name
        arrays = list_arrays(tree, scratch)
        pairs = pair(arrays, tree.where, use_labels=use_labels)
        opened = [_open(each, tree.where, scratch) for each in pairs]
        notes = list(tree.notes)
        self._values, note = _common_reading(opened, tree.where)
        notes += [note] if note else []
        names = [each for each in arrays if each.name.role == "names"] if use_labels else []
        self._images, more = _labelled_alone(opened, pairs)
        self._classes = _classes(self._images, names, tree.where, scratch)
        self.class_names = self._classes.names if self._classes else ()
        self._splits: dict[str, SplitName] = split_names({each.split for each in self._images}) or {}
        self.has_split = bool(self._splits)
        self._images.sort(key=lambda each: (self._splits.get(each.split) == "test", each.path))
        used = {each for both in pairs for each in both} | set(names)
        self.notes: tuple[str, ...] = (*notes, *more, *_unused([each for each in arrays if each not in used]))

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(each.header.shape[0] for each in self._images)

    def parts(self) -> Sequence[Stack]:
        """Cut each array into parts."""
        parts: list[Stack] = []
        for path, file, header, layout, codes, split in self._images:
            labels: list[int | str] = [UNLABELLED] * header.shape[0]
            if codes and self._classes:
                labels = codes.labels(self._classes)
            place = (path, file, header.dtype.str, layout, self._values)
            parts += cut_stack(*place, labels, self._splits.get(split))
        return parts


def _open(both: Pair, where: str, scratch: Path) -> _Images:
    name = in_tree(both.images.path, where)
    header = both.images.usable(where)
    try:
        layout = find_layout(header.shape)
    except ValueError as error:
        raise DatasetError(f"{name} has the shape {header.shape}, {error}") from None
    if header.dtype.kind in "US":
        raise DatasetError(f"{name} is an array of texts: give one of pixels")
    codes = None
    if both.labels:
        labels = both.labels.usable(where)
        of_labels = in_tree(both.labels.path, where)
        codes = read_codes(_values(both.labels, of_labels, scratch), labels, of_labels)
    file = _values(both.images, name, scratch)
    return _Images(both.images.path, file, header, layout, codes, both.images.name.split)


def _values(array: Array, where: str, scratch: Path) -> Blob:
    """Return where the values of an array lie, unpacked and in C's order."""
    header = array.usable(where)
    try:
        blob = array.entry.blob
        if blob.packed >= 0:
            blob = Blob(str(own_file(blob, where, scratch)), blob.size, 0, modified=blob.modified)
        blob = bare_blob(blob)
        blob = blob._replace(offset=max(0, blob.offset) + header.begin, size=blob.size - header.begin)
        return _in_order(blob, header, where, scratch) if header.fortran else blob
    except UnreadableError as error:
        raise DatasetError(f"{where} cannot be read ({error.reason}): fetch it again") from None


def _in_order(blob: Blob, header: Header, where: str, scratch: Path) -> Blob:
    """Write an array in C's order whose first index runs fastest, so that its images lie each in one place."""
    if blob.size > MAX_FILE_BYTES:
        raise DatasetError(
            f"{where} is in Fortran's order and larger than {MAX_FILE_BYTES >> 20} MiB: save it by "
            "numpy.save(path, numpy.ascontiguousarray(array))"
        )
    target = scratch / scratch_name(blob, header)
    if not target.exists():
        scratch.mkdir(parents=True, exist_ok=True)
        sweep_drafts(scratch)
        require_space(scratch, where, blob.size)
        values = np.frombuffer(read_blob(blob), header.dtype).reshape(header.shape, order="F")
        with replacing(target) as draft, draft.open("wb") as out:
            out.write(np.ascontiguousarray(values).data)
    return Blob(str(target), blob.size, 0, modified=blob.modified)


def _common_reading(images: Sequence[_Images], where: str) -> tuple[Reading, str]:
    """Find what the values of all arrays of images are, and a note."""
    names = f"{', '.join(shown(each.path) for each in images[:_LISTED])} in {where}"
    if len({each.header.dtype.kind for each in images}) > 1:
        raise DatasetError(f"{names} are of different sorts of numbers: store all as uint8 from 0 to 255")
    ranges = (value_range(each.file, each.header, in_tree(each.path, where)) for each in images)
    return find_reading(ranges, images[0].header.dtype, names)


def _labelled_alone(images: list[_Images], pairs: Sequence[Pair]) -> tuple[list[_Images], list[str]]:
    """Leave out arrays without labels beside those with some; and all labels that are no classes."""
    odd = [both.labels.path for both, each in zip(pairs, images, strict=True) if both.labels and each.codes is None]
    if odd:
        note = f"{shown(odd[0])} may have several columns set for an image, or none, so the images have no labels"
        return [each._replace(codes=None) for each in images], [note]
    labelled = [each for each in images if each.codes]
    left = [each for each in images if labelled and not each.codes]
    notes = [without_labels(each.header.shape[0], each.path) for each in left]
    return labelled or images, notes


def _classes(images: Sequence[_Images], names: Sequence[Array], where: str, scratch: Path) -> Classes | None:
    texts = {text for each in images if each.codes for text in each.codes.texts}
    if not texts:
        return None
    for array in names:
        header = array.usable(where)
        if header.dtype.kind in "US" and len(header.shape) == 1 and header.shape[0] <= MAX_CLASSES:
            rows = chunks(_values(array, in_tree(array.path, where), scratch), header, where)
            found = [as_text(name) for values in rows for name in values.tolist()]
            classes = declared_classes(found)
            if len(set(found)) == len(found) and texts <= set(classes.index):
                return classes
    return found_classes(texts, f"the array of labels in {where}")


def _unused(arrays: Sequence[Array]) -> list[str]:
    if not arrays:
        return []
    listed = ", ".join(shown(each.path) for each in arrays[:_LISTED])
    return [f"arrays that are not used: {listed}" + (" and others" if len(arrays) > _LISTED else "")]
