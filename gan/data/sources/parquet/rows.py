"""A part of a Parquet file: some rows of one row group, decoded anywhere."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gan.data.files.blob import MAX_FILE_BYTES, Blob, UnreadableError
from gan.data.pixels.decode import only_image
from gan.data.records import OUT_OF_RANGE, UNLABELLED, Reject, SourceImage, SplitName
from gan.data.sources.labels.classes import Classes
from gan.data.sources.parquet.columns import Columns
from gan.data.sources.parquet.file import BROKEN, Group, opened, read_rows

NO_BYTES = "no image bytes"


@dataclass(frozen=True)
class Rows:
    """A part of one row group.

    Attributes:
        path: printable name of the file.
        blob: the file, or the archive that it lies in; its size and age are part of the identity.
        file: where the row group lies: the file itself, or a copy.
        group: which row group of it.
        first: number in the source's file of the row group's first row.
        start: number in the row group of the part's first row.
        stop: number in the row group behind the part's last row.
        columns: the columns to read.
        classes: what labels mean; None where images have none.
        split: which split the file is.
        background: RGB under transparent pixels.
        label: of all rows, where the file's folder says it.
    """

    path: str
    blob: Blob
    file: str
    group: Group
    first: int
    start: int
    stop: int
    columns: Columns
    classes: Classes | None
    split: SplitName | None
    background: tuple[int, int, int]
    label: str = ""

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.stop - self.start

    def identity(self) -> str:
        """Return the hash of the file's place, size and age, and of everything else but where a copy of it lies."""
        return hashlib.sha256(repr(replace(self, file="")).encode("utf-8", "surrogateescape")).hexdigest()

    def read(self) -> Iterator[SourceImage | Reject]:
        """Decode one row at a time; rows that cannot be reached are rejects."""
        row = self.start
        problem = UnreadableError(BROKEN, "it has fewer rows than it says")
        try:
            for data, label in self._rows():
                yield self._record(row, data, label)
                row += 1
        except UnreadableError as error:
            problem = error
        yield from (Reject(self._name(left), problem.reason, problem.detail) for left in range(row, self.stop))

    def _rows(self) -> Iterator[tuple[bytes | None, str]]:
        columns = self.columns if self.classes else replace(self.columns, label="")
        left = len(self)
        with opened(self.file) as file:
            for images, labels in read_rows(file, self.group, columns, self.start):
                for image, label in zip(images[:left], labels[:left], strict=True):
                    yield image.as_py(), self.label or label
                left -= min(left, len(labels))
                if not left:
                    return

    def _record(self, row: int, data: bytes | None, text: str) -> SourceImage | Reject:
        name = self._name(row)
        label = self.classes.index.get(text) if self.classes else UNLABELLED
        if data is None:
            return Reject(name, NO_BYTES)
        if len(data) > MAX_FILE_BYTES:
            return Reject(name, "too large", f"more than {MAX_FILE_BYTES:,} bytes")
        if label is None:
            return Reject(name, OUT_OF_RANGE, text[:80])
        try:
            return SourceImage(name, label, only_image(data, self.background), self.split)
        except UnreadableError as error:
            return Reject(name, error.reason, error.detail)

    def _name(self, row: int) -> str:
        return f"{self.path}/{self.first + row}"
