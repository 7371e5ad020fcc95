"""LMDB databases whose values are image files, as LSUN is published."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gan.configuration.vocabulary import SourceKind
from gan.data.files.blob import MAX_FILE_BYTES, Blob, UnreadableError
from gan.data.files.tree import Entry, Tree, in_tree
from gan.data.files.unpack import head_of, own_file
from gan.data.pixels.decode import decode_image
from gan.data.records import PART_BYTES, PART_IMAGES, UNLABELLED, Reject, SourceImage, SplitName, Tally
from gan.data.sources.splits import split_names
from gan.data.sources.stacks.names import take_apart
from gan.errors import DatasetError
from gan.text.shown import reason_of, shown

if TYPE_CHECKING:
    import lmdb

_MAGIC_AT, _MAGIC = 16, b"\xde\xc0\xef\xbe"


@dataclass(frozen=True)
class Values:
    """A part of a database: some values, by the order of their keys.

    Attributes:
        path: printable name of the file.
        blob: the file; one of another size or age is not read.
        first: number of the part's first value in the database.
        count: how many values the part has.
        key: that of the first.
        split: which split the database is.
        background: RGB under transparent pixels.
    """

    path: str
    blob: Blob
    first: int
    count: int
    key: bytes
    split: SplitName | None
    background: tuple[int, int, int]

    def __len__(self) -> int:
        """Return the number of values."""
        return self.count

    def identity(self) -> str:
        """Return the hash of all of the part's fields; the file's size and age are among them."""
        return hashlib.sha256(repr(self).encode("utf-8", "surrogateescape")).hexdigest()

    def read(self) -> Iterator[SourceImage | Reject]:
        """Decode one value at a time; those that cannot be reached are rejects."""
        done = 0
        problem = UnreadableError("broken database", "it has fewer values than it says")
        try:
            for key, value in self._values():
                yield self._record(f"{self.path}/{shown(key.decode('utf-8', 'backslashreplace'))}", value)
                done += 1
        except UnreadableError as error:
            problem = error
        for number in range(self.first + done, self.first + self.count):
            yield Reject(f"{self.path}/{number}", problem.reason, problem.detail)

    def tally(self) -> Tally:
        """Count images, which have no labels."""
        return Counter({(self.split, UNLABELLED): self.count}), Counter()

    def _values(self) -> Iterator[tuple[bytes, bytes]]:
        import lmdb

        try:
            state = os.stat(self.blob.file)
            if (state.st_size, state.st_mtime_ns) != (self.blob.size, self.blob.modified):
                raise UnreadableError("cannot be read", "it was changed meanwhile")
            with closing(_opened(self.blob.file)) as database, database.begin() as reading:
                cursor = reading.cursor()
                if cursor.set_key(self.key):
                    yield from islice(cursor.iternext(), self.count)
        except (lmdb.Error, OSError) as error:
            raise UnreadableError("cannot be read", reason_of(error, 120)) from None

    def _record(self, name: str, value: bytes) -> SourceImage | Reject:
        if len(value) > MAX_FILE_BYTES:
            return Reject(name, "too large", f"more than {MAX_FILE_BYTES:,} bytes")
        try:
            return SourceImage(name, UNLABELLED, decode_image(value, self.background), self.split)
        except UnreadableError as error:
            return Reject(name, error.reason, error.detail)


class _Database(NamedTuple):
    path: str
    blob: Blob
    entries: int
    keys: list[bytes]  # of the first value of each part
    step: int
    split: str


class DatabaseSource:
    """LMDB databases, one for each split as their folders are called; images have no labels.

    A database is looked through before its library opens it, for that trusts the file and would end the process.

    Args:
        tree: the files.
        background: RGB under transparent pixels.
        scratch: folder for a database out of an archive; a later run finds it there again.

    Raises:
        DatasetError: a database is broken or empty, there are several of one split, or the library is not installed.
        ResourcesError: the disk is too full.
    """

    kind: SourceKind = "lmdb"
    class_names: tuple[str, ...] = ()

    def __init__(self, tree: Tree, background: tuple[int, int, int], scratch: Path) -> None:
        self.name = tree.name
        self._background = background
        found = [_open(entry, tree.where, scratch) for entry in tree.entries if is_database(entry)]
        names = {each.split for each in found}
        if len(names) < len(found):
            listed = ", ".join(shown(each.path) for each in found[:6])
            raise DatasetError(f"{tree.where} has several databases of one split ({listed}): give one")
        self._splits: dict[str, SplitName] = split_names(names) or {}
        self.has_split = bool(self._splits)
        self._databases = sorted(found, key=lambda each: (self._splits.get(each.split) == "test", each.path))
        self.notes = tree.notes

    def __len__(self) -> int:
        """Return the number of values."""
        return sum(each.entries for each in self._databases)

    def parts(self) -> Sequence[Values]:
        """Cut each database into parts."""
        parts = []
        for path, blob, count, keys, step, word in self._databases:
            split = self._splits.get(word)
            for index, key in enumerate(keys):
                some = min(step, count - index * step)
                parts.append(Values(path, blob, index * step, some, key, split, self._background))
        return parts


def is_database(entry: Entry) -> bool:
    """Return whether a file is an LMDB database."""
    return head_of(entry.blob, _MAGIC_AT + len(_MAGIC)).startswith(_MAGIC, _MAGIC_AT)


def _open(entry: Entry, where: str, scratch: Path) -> _Database:
    where = in_tree(entry.path, where)
    try:
        import lmdb
        from lmdb.verify import VerifyError, verify
    except ImportError:
        raise DatasetError(f"{where} is an LMDB database: run pip install 'ganflow[lmdb]' to have it read") from None
    file = own_file(entry.blob, where, scratch)
    try:
        if problems := verify(str(file), subdir=False):  # type: ignore[no-untyped-call]
            raise VerifyError(problems[0])
        state = file.stat()
        with closing(_opened(str(file))) as database, database.begin() as reading:
            count, length = database.stat()["entries"], (database.info()["last_pgno"] + 1) * database.stat()["psize"]
            if (
                length > state.st_size
            ):  # which is not looked at before, and reading what is missing would end the process
                raise VerifyError(f"it is cut short: {state.st_size:,} of {length:,} bytes are there")
            step = max(1, min(PART_IMAGES, PART_BYTES * count // max(1, state.st_size)))
            keys = list(islice(reading.cursor().iternext(values=False), 0, None, step))
    except (lmdb.Error, VerifyError) as error:
        raise DatasetError(f"{where} is a broken LMDB database ({reason_of(error, 120)}): fetch it again") from None
    if not count:
        raise DatasetError(f"{where} is an empty LMDB database: fetch it again")
    blob = Blob(str(file), state.st_size, modified=state.st_mtime_ns)
    return _Database(entry.path, blob, count, keys, step, take_apart(entry.path).split)


def _opened(file: str) -> "lmdb.Environment":
    import lmdb

    return lmdb.open(file, subdir=False, readonly=True, lock=False, readahead=False)
