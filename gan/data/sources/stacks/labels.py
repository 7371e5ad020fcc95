"""An array of labels to a label for each image."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.data.files.blob import Blob
from gan.data.sources.labels.classes import Classes, refuse_too_many
from gan.data.sources.stacks.header import Header
from gan.data.sources.stacks.values import chunks
from gan.text.counted import counted
from gan.text.shown import shown


class Codes(NamedTuple):
    """Labels as they are written, each once, and which of them each image has."""

    texts: list[str]
    of_images: NDArray[np.int64]

    def labels(self, classes: Classes) -> list[int | str]:
        """Return each image's index into the class names, or what is written where that is no class."""
        meant: list[int | str] = [classes.index.get(text, text) for text in self.texts]
        return [meant[code] for code in self.of_images.tolist()]


def without_labels(count: int, path: str) -> str:
    """Return the note that the images of a file have no labels, while those of others have."""
    name = shown(path)
    return counted(
        count, f"image of {name} has no label and is left out", f"images of {name} have no labels and are left out"
    )


def read_codes(file: Blob, header: Header, where: str) -> Codes | None:
    """Read labels that are numbers or texts in `[N]` or `[N, 1]`, or one-hot in `[N, K]`.

    Args:
        file: their values.
        header: what they are.
        where: what to call them in messages.

    Returns:
        The labels; None where rows have several, or none, of their columns set.

    Raises:
        DatasetError: they cannot be read, or are too many different ones for classes.
    """
    index: dict[str, int] = {}
    codes = []
    for rows in chunks(file, header, where):
        flat = rows.reshape(len(rows), -1)
        values = flat[:, 0] if flat.shape[1] == 1 else _hot(flat)
        if values is None:
            return None
        written, places = np.unique(values, return_inverse=True)
        found = [index.setdefault(as_text(value), len(index)) for value in written.tolist()]
        refuse_too_many(index, where)
        codes.append(np.array(found, np.int64)[places])
    return Codes(list(index), np.concatenate(codes))


def text_codes(texts: Sequence[str]) -> Codes:
    """Return labels that are written as texts."""
    index: dict[str, int] = {}
    codes = [index.setdefault(text, len(index)) for text in texts]
    return Codes(list(index), np.array(codes, np.int64))


def _hot(rows: NDArray[Any]) -> NDArray[np.int64] | None:
    """Return the column that is 1 in each row, where all others are 0."""
    if rows.dtype.kind in "US" or not ((rows == 0) | (rows == 1)).all() or not (rows.sum(axis=1) == 1).all():
        return None
    found: NDArray[np.int64] = rows.argmax(axis=1)
    return found


def as_text(value: Any) -> str:
    """Return a label as text: whole numbers without a point, and nothing for NaN."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().strip()
    if value != value:  # NaN, as pandas has it
        return ""
    return str(int(value)) if value == value // 1 else str(value)
