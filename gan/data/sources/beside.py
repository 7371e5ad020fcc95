"""What lies beside the files that hold a source's images: companions, and files of which nobody knows what they are."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gan.configuration.vocabulary import SourceKind
from gan.data.files.tree import Tree
from gan.data.origin import Origin
from gan.data.records import UNLABELLED, Part, Source, Tally, tally_of
from gan.data.sources.census import NOT_READ, Census, sort_files
from gan.data.sources.folder import Item, cut_files

_HOLDERS = {
    "parquet": r"\.(parquet|arrow)",
    "idx": r"-ubyte(\.gz)?",
    "cifar": r"(?<![^/])(data_batch_[0-9]+|test_batch|train|test)\.bin",
    "numpy": r"\.np[yz]",
    "csv": r"\.csv(\.gz)?",
    "lmdb": r"\.mdb",
    "webdataset": r"\.(tar|tar\.gz|tgz)",
}
"""How the names of files that hold images of a kind end."""


class WithFilesBeside:
    """A source whose records lie in some files of a tree, with all others accounted for as those of image folders are.

    Args:
        inner: the source.
        tree: all files.

    Attributes:
        census: what the files of the tree are.
        asked: what a person has said of how they are to be read.
        origin: what the source itself says of whose images they are.
    """

    def __init__(self, inner: Source, tree: Tree) -> None:
        self.name, self.class_names, self.has_split = inner.name, inner.class_names, inner.has_split
        self.kind: SourceKind = inner.kind
        self.notes = inner.notes
        self.asked = getattr(inner, "asked", {})
        self.origin = getattr(inner, "origin", Origin())
        self._inner = inner
        ending = re.compile(f"({_HOLDERS[inner.kind]})$", re.I)
        rest = tuple(entry for entry in tree.entries if not ending.search(entry.path))
        others = sort_files(replace(tree, entries=rest))
        companions = Counter(others.companions)
        companions[NOT_READ] += len(others.images)
        self._strays = [Item(each.path, UNLABELLED, None, None, each.reason, each.detail) for each in others.rejects]
        holders = len(tree.entries) - len(rest)
        counted = {kind: count for kind, count in companions.items() if count}
        self.census = Census(tree.files, counted, holders=holders, strays=len(self._strays))

    def __len__(self) -> int:
        """Return the number of records, and of files that are rejects."""
        return len(self._inner) + len(self._strays)

    def parts(self) -> Sequence[Part]:
        """Cut the source into parts; files that are rejects come last."""
        return [*self._inner.parts(), *cut_files(self._strays, (0, 0, 0))]

    def tally(self) -> Tally | None:
        """Count images and rejects, as far as that takes no decoding."""
        counted = tally_of(self._inner)
        if counted:
            counted[1].update(item.reason for item in self._strays)
        return counted
