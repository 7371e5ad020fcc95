"""Parquet files as a source: any with a column of encoded images, as Hugging Face, ganflow and others write them."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import UnreadableError
from gan.data.files.tree import Entry, Tree
from gan.data.files.unpack import own_file
from gan.data.records import OUT_OF_RANGE, PART_BYTES, PART_IMAGES, UNLABELLED, SplitName, Tally
from gan.data.sources.labels.classes import Classes, declared_classes, found_classes, refuse_too_many
from gan.data.sources.parquet.columns import LABEL_COLUMNS, NO_IMAGES, NO_LABELS, Columns
from gan.data.sources.parquet.cut import Stretch, cut_group, is_large
from gan.data.sources.parquet.file import opened, read_columns, read_groups, read_labels
from gan.data.sources.parquet.rows import Rows
from gan.data.sources.spec import Asked
from gan.data.sources.splits import leading_word, split_names
from gan.errors import DatasetError

_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_INSTEAD = {NO_IMAGES: "give one with an encoded image in each row", NO_LABELS: "correct --label-column"}


class _File(NamedTuple):
    entry: Entry
    columns: Columns
    stretches: list[Stretch]


class ParquetSource:
    """Images in a column of Parquet files, a class for each label, split by the names of files or folders.

    Images are structs with `bytes`, as Hugging Face has them, or bytes. Columns are told by Hugging Face's metadata,
    else by their names, else by their types. Classes are named by the metadata, else by the labels themselves; where
    there is no column of labels, by folders such as `label=cat`.

    Args:
        tree: the files.
        background: RGB under transparent pixels.
        scratch: folder for files out of an archive and for row groups that are cut; a later run finds them again.
        use_labels: whether a column of labels is taken.
        label_column: which, where somebody has named it.

    Attributes:
        asked: what a person has said of how they are to be read.

    Raises:
        DatasetError: a file is broken, has no images, or does not belong to the others; labels are no classes.
        ResourcesError: the disk is too full for row groups to be cut.
    """

    kind: SourceKind = "parquet"

    def __init__(
        self,
        tree: Tree,
        background: tuple[int, int, int],
        scratch: Path,
        *,
        use_labels: bool = True,
        label_column: str | None = None,
    ) -> None:
        self.name = tree.name
        self.asked = Asked(label_column=label_column).given()
        self._background = background
        files = [_open(entry, tree.where, scratch, use_labels, label_column) for entry in _entries(tree)]
        files = [file for file in files if file.stretches] or files
        _refuse_others(files, tree.where)
        splits = _splits([file.entry.path for file in files])
        self.has_split = bool(splits)
        self._files = [(file, splits.get(file.entry.path)) for file in files]
        self._files.sort(key=lambda each: (each[1] == "test", each[0].entry.path))
        if not len(self):
            raise DatasetError(f"{tree.where} holds no image, for its Parquet files have no rows: give another source")
        columns = files[0].columns
        self._folders = _class_folders(files) if use_labels and not columns.label else {}
        self.notes: tuple[str, ...] = (columns.note,) if columns.note and not self._folders else ()
        self._classes = None
        if self._folders:
            self._classes = found_classes(set(self._folders.values()), f"a folder of {tree.where}")
        elif columns.label:
            self._classes = _find_classes(files, f"the column {columns.label} in {tree.where}")
        self.class_names = self._classes.names if self._classes else ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(stretch.group.rows for file, _ in self._files for stretch in file.stretches)

    def parts(self) -> Sequence[Rows]:
        """Cut each row group into parts."""
        classes = self._classes if self.class_names else None
        parts = []
        for (entry, _, stretches), split in self._files:
            for file, group, columns, first in stretches:
                step = max(1, min(PART_IMAGES, group.rows * PART_BYTES // max(1, group.size)))
                for start in range(0, group.rows, step):
                    stop = min(start + step, group.rows)
                    place = (entry.path, entry.blob, file, group, first, start, stop)
                    folder = self._folders.get(entry.path, "")
                    parts.append(Rows(*place, columns, classes, split, self._background, folder))
        return parts

    def tally(self) -> Tally:
        """Count images by their labels; only the column of labels is read."""
        images: Counter[tuple[SplitName | None, int]] = Counter()
        rejects: Counter[str] = Counter()
        index = self._classes.index if self._classes and self.class_names else {}
        for file, split in self._files:
            folder = self._folders.get(file.entry.path)
            for stretch in file.stretches:
                counts = Counter({folder or "": stretch.group.rows})
                if index and folder is None:
                    counts = sum(_labels([stretch]), Counter())
                for text, count in counts.items():
                    label = index.get(text) if index else UNLABELLED
                    if label is None:
                        rejects[OUT_OF_RANGE] += count
                    else:
                        images[split, label] += count
        return images, rejects


def _entries(tree: Tree) -> list[Entry]:
    entries = [entry for entry in tree.entries if _is_parquet(entry.path)]
    if len(tree.entries) == 1:
        entries = list(tree.entries)  # whatever it is called
    if not entries:
        raise DatasetError(f"no Parquet file was found in {tree.where}: give a folder with files that end in .parquet")
    for reject in tree.rejects:
        if _is_parquet(reject.path):
            raise DatasetError(f"{reject.path} in {tree.where} cannot be used ({reject.reason}): give the file itself")
    return entries


def _is_parquet(path: str) -> bool:
    return path.lower().endswith(".parquet")


def _open(entry: Entry, where: str, scratch: Path, use_labels: bool, label_column: str | None) -> _File:
    where = where if where.endswith(entry.path) else f"{entry.path} in {where}"
    place = str(own_file(entry.blob, where, scratch))
    try:
        with opened(place) as file:
            columns = read_columns(file, label_column)
            if not use_labels:
                columns = replace(columns, label="", names=None, note="")
            stretches: list[Stretch] = []
            first = 0
            for group in read_groups(file, os.stat(place).st_size, where):
                if is_large(group):
                    stretches += cut_group(file, group, first, columns, entry.blob, scratch, where)
                elif group.rows:
                    stretches.append(Stretch(place, group, columns, first))
                first += group.rows
    except UnreadableError as error:
        detail = f"{error.reason}: {error.detail}" if error.detail else error.reason
        instead = _INSTEAD.get(error.reason, "fetch it again")
        raise DatasetError(f"{where} cannot be used ({detail}): {instead} or leave it out") from None
    return _File(entry, columns, stretches)


def _refuse_others(files: list[_File], where: str) -> None:
    """Refuse files that do not belong to the first."""
    first = files[0]
    for file in files[1:]:
        pairs = {
            "column of images": (first.columns.leaf, file.columns.leaf),
            "column of labels": (first.columns.label, file.columns.label),
            "class names": (first.columns.names, file.columns.names),
        }
        for what, (one, other) in pairs.items():
            if one != other:
                raise DatasetError(
                    f"{first.entry.path} and {file.entry.path} in {where} do not have the same {what}: "
                    "give the files of one dataset"
                )


def _splits(paths: Sequence[str]) -> dict[str, SplitName]:
    """Return the split of each file by the word that its name begins with, else by a folder that it lies in."""
    names = [leading_word(path.rsplit("/", 1)[-1]) for path in paths]
    roots = [path.split("/", 1)[0] for path in paths]
    folders = [("/" + path).rsplit("/", 2)[-2] for path in paths]
    for words in (names, roots, folders):
        if found := split_names(words):
            return {path: found[word] for path, word in zip(paths, words, strict=True)}
    return {}


def _class_folders(files: list[_File]) -> dict[str, str]:
    """Return each file's class where all lie in folders such as `label=cat`, as Spark and Hive partition a table."""
    found = {}
    for file in files:
        parts = (part.partition("=") for part in file.entry.path.split("/")[:-1])
        labels = [unquote(value) for name, equals, value in parts if equals and name.lower() in LABEL_COLUMNS]
        if not labels:
            return {}
        found[file.entry.path] = "" if labels[0] == _HIVE_NULL else labels[0]
    return found


def _find_classes(files: list[_File], where: str) -> Classes:
    stretches = [stretch for file in files for stretch in file.stretches]
    if (names := files[0].columns.names) is not None:
        classes = declared_classes(names)
        if any(classes.index.get(label) != UNLABELLED for labels in _labels(stretches) for label in labels):
            return classes
        return Classes((), classes.index)  # nothing is labelled, as in the test files of a contest
    seen: set[str] = set()
    for labels in _labels(stretches):
        seen.update(labels)
        refuse_too_many(seen, where)
    return found_classes(seen, where)


def _labels(stretches: list[Stretch]) -> Iterator[Counter[str]]:
    for stretch in stretches:
        try:
            with opened(stretch.file) as file:
                yield from read_labels(file, stretch.group, stretch.columns)
        except UnreadableError:
            continue  # each of its rows will be a reject
