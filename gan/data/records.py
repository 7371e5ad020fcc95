"""What a source of images is: records, in parts that can be read anywhere and in any order."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from gan.configuration.vocabulary import SourceKind

Value = TypeVar("Value")
SplitName = Literal["train", "test"]
UNLABELLED = -1
UNLABELLED_NAME = "unlabelled"  # stands for the one class of a dataset without classes
MANIFEST = "manifest.json"  # of a release, which has it in the place of `dataset.json`
OUT_OF_RANGE = "label out of range"
# What one worker reads at a time: enough to repay handing it out, little enough to lose in a kill.
PART_IMAGES = 1000
PART_BYTES = 2**24


@dataclass(frozen=True, eq=False, slots=True)
class Deep:
    """An image of other samples than 8 bits without sign: which of its values are black and white is still open.

    Attributes:
        values: `[H, W, C]` whole numbers or floats, C 1 or 3; never uint8 but where `window` says how to show them.
        alpha: `[H, W]` uint8, opacity; None: opaque.
        inverted: whether low values are white.
        window: the values that are black and white by the file's own word, or None where it does not say.
    """

    values: NDArray[Any]
    alpha: NDArray[np.uint8] | None = None
    inverted: bool = False
    window: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """`(H, W, C)`."""
        return self.values.shape


@dataclass(frozen=True, eq=False, slots=True)
class SourceImage:
    """One image as the source has it.

    Attributes:
        path: its name within the source, relative, with `/` between parts.
        label: index into `Source.class_names`, or -1 for none.
        pixels: `[H, W, C]` uint8; C is 1 where the image is grey (an RGB image with R = G = B is grey too), else 3. Or
            such samples as have to be made uint8 first.
        split: where the source itself puts it, or None where it does not say.
    """

    path: str
    label: int
    pixels: NDArray[np.uint8] | Deep
    split: SplitName | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """One file that was expected to be an image of the dataset and is none.

    Attributes:
        path: its name within the source.
        reason: why, in a few words that many files share, so that rejects can be counted by it.
        detail: what is particular to this file, or nothing.
    """

    path: str
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        """Return `path: reason (detail)`."""
        return f"{self.path}: {self.reason} ({self.detail})" if self.detail else f"{self.path}: {self.reason}"


Tally = tuple[Counter[tuple[SplitName | None, int]], Counter[str]]
"""How many images there are of each split and label, and how many rejects for each reason."""


def tally(labels: Iterable[int | None], split: SplitName | None) -> Tally:
    """Count images by their labels, of which None is none that can be."""
    counts = Counter(labels)
    wrong = counts.pop(None, 0)
    images = Counter({(split, label): count for label, count in counts.items() if label is not None})
    return images, Counter({OUT_OF_RANGE: wrong} if wrong else {})


def tally_of(source: "Source") -> Tally | None:
    """Count the images and rejects of a source, as far as it or all its parts tell without decoding; else None."""
    if own := getattr(source, "tally", None):
        return own()  # type: ignore[no-any-return]
    images: Counter[tuple[SplitName | None, int]] = Counter()
    rejects: Counter[str] = Counter()
    for part in source.parts():
        if (of_part := getattr(part, "tally", None)) is None:
            return None
        more, refused = of_part()
        images.update(more)
        rejects.update(refused)
    return images, rejects


class Part(Protocol):
    """A run of a source's records that a process can read by itself: it holds names and places, no pixels."""

    def __len__(self) -> int:
        """Return how many files or rows it has; `read` yields a record for each, and more of one with more images."""
        ...

    def read(self) -> Iterator[SourceImage | Reject]:
        """Decode and yield one image, or why there is none, at a time; the same on every call."""
        ...

    def identity(self) -> str:
        """Return a text that changes when `read` would yield something else, without reading it all."""
        ...


class Source(Protocol):
    """Images in a stable order."""

    @property
    def name(self) -> str:
        """What the dataset is called after it."""
        ...

    @property
    def kind(self) -> SourceKind:
        """Which sort of source this is."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names by label; empty where images have no labels."""
        ...

    @property
    def has_split(self) -> bool:
        """Whether the source itself says which images are held out; then each record has a split."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the source and no single record says, such as an empty class folder."""
        ...

    def __len__(self) -> int:
        """Return how many files or rows the parts have, rejects included."""
        ...

    def parts(self) -> Sequence[Part]:
        """Cut the source into parts, in order."""
        ...


def read_all(source: Source) -> Iterator[SourceImage | Reject]:
    """Yield every record of a source in this process."""
    for part in source.parts():
        yield from part.read()


def spread(values: Sequence[Value], most: int) -> list[Value]:
    """Return `most` values at most, from all over a sequence."""
    count = min(most, len(values))
    return [values[at * len(values) // count] for at in range(count)]


def cut(sizes: Iterable[int]) -> Iterator[slice]:
    """Cut files of `sizes` bytes into runs of at most `PART_IMAGES` files and about `PART_BYTES` bytes."""
    start = total = end = 0
    for index, size in enumerate(sizes):
        if index > start and (index - start >= PART_IMAGES or total + size > PART_BYTES):
            yield slice(start, index)
            start, total = index, 0
        total += size
        end = index + 1
    if start < end:
        yield slice(start, end)
