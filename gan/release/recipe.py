"""What a release is drawn by, what is drawn of it at once, and what comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from gan.configuration.vocabulary import Precision, ReleaseFormat
from gan.release.rows import Rows
from gan.release.selection import Look
from gan.release.shard import Images, Marks, Shard

Fingerprints = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Selection:
    """Which images a release keeps.

    Attributes:
        described: by what it selects, as a JSON tree, for the manifest; another one makes another release.
        make_look: makes, once in each process that draws, what judges single images; None: all are kept.
        fingerprint: maps images [n, H, W, C] to [n, ...], by which duplicates are told; None: nobody asks.
        duplicates: maps the fingerprints of all rows, and which of these alone were drawn again since the others were
            found to be none (None: nothing was looked at yet), to the rows that are to be drawn again; the same for the
            same.
    """

    described: Mapping[str, object] = field(default_factory=dict)
    make_look: Callable[[], Look] | None = None
    fingerprint: Callable[[Images], Fingerprints] | None = None
    duplicates: Callable[[Fingerprints, Rows | None], Sequence[int]] | None = None

    @property
    def rejects(self) -> bool:
        """Whether a row may be drawn more than once."""
        return self.make_look is not None or self.duplicates is not None


@dataclass(frozen=True)
class Recipe:
    """What all blocks of a release have in common.

    Attributes:
        num_images: rows of the release.
        first_seed: of row 0 at its first attempt.
        batch_size: images per call of the program.
        class_names: by label; empty without classes.
        shards: how many.
        format: of the files.
        max_attempts: how often a row is drawn before it is given up.
        marks: what says that the images are synthetic.
        selection: which images are kept.
        precision: of the generator's convolutions and matrix products.
    """

    num_images: int
    first_seed: int
    batch_size: int
    class_names: tuple[str, ...]
    shards: int
    format: ReleaseFormat = "parquet"
    max_attempts: int = 1
    marks: Marks = field(default_factory=Marks)
    selection: Selection = field(default_factory=Selection)
    precision: Precision = "fp32"

    def class_name(self, label: int) -> str:
        """Return what to call a class in a sentence."""
        return self.class_names[label] if 0 <= label < len(self.class_names) else "unlabelled"


@dataclass(frozen=True)
class Drawn:
    """Rows that are drawn: a shard.

    Attributes:
        shard: its images, encoded.
        attempts: [n] int64, the attempt at which each row was kept.
        asked: images that were drawn for it, by label.
        rejected: of these, by reason and label.
        fingerprints: [n, ...] of the images; None where the recipe has none.
    """

    shard: Shard
    attempts: Rows
    asked: dict[int, int]
    rejected: dict[str, dict[int, int]]
    fingerprints: Fingerprints | None


@dataclass(frozen=True)
class Block:
    """Rows that follow each other and are drawn at once.

    Attributes:
        index: of the shard that they become.
        start: the first row.
        labels: [n] int64.
        attempts: [n] int64, the attempt at which each row begins; later ones follow where it is rejected.
        pending: places in the block of the rows that are to be drawn.
        earlier: where the others are taken from; None: there are no others.
    """

    index: int
    start: int
    labels: Rows
    attempts: Rows
    pending: Rows
    earlier: Drawn | None = None

    @classmethod
    def fresh(cls, index: int, start: int, labels: Rows) -> Self:
        """Return rows of which none has been drawn."""
        return cls(index, start, labels, np.zeros(len(labels), np.int64), np.arange(len(labels)))

    @classmethod
    def again(cls, start: int, earlier: Drawn, pending: Rows) -> Self:
        """Return the rows of a shard, some of which are to be drawn once more, with the attempt that follows."""
        attempts = earlier.attempts.copy()
        attempts[pending] += 1
        return cls(earlier.shard.index, start, earlier.shard.labels, attempts, pending, earlier)
