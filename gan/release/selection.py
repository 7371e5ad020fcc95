"""Which drawn images are kept: looks at blocks of them, how many each rejects, and what selecting costs in variety."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from gan.metrics.estimate import Estimate
from gan.metrics.manifold import manifold

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Verdicts = npt.NDArray[np.int64]
Features = npt.NDArray[np.floating[Any]]

KEEP = 0


class Look(Protocol):
    """Says of each image of a block whether it is kept, by that image alone: not by what else is in the block.

    Attributes:
        reasons: why images are rejected, in words.
    """

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why images are rejected, in words."""

    def __call__(self, images: Images, labels: Labels) -> Verdicts:
        """Judge images [N, H, W, C] uint8 of classes [N] int64, -1 for none.

        Returns:
            [N] int64: 0 keeps an image, 1 + i rejects it for reasons[i].
        """


class Looks:
    """Several looks one after the other: the first that rejects an image says why, and no later one sees it.

    Args:
        looks: in their order; none keeps everything.

    Raises:
        ValueError: two looks have a reason in common, which could then not be told apart.
    """

    def __init__(self, looks: Sequence[Look]) -> None:
        self.looks = tuple(looks)
        self.reasons = tuple(reason for look in looks for reason in look.reasons)
        if len(set(self.reasons)) < len(self.reasons):
            raise ValueError(f"looks with the same reason cannot be told apart ({', '.join(self.reasons)})")

    def __call__(self, images: Images, labels: Labels) -> Verdicts:
        """As `Look`."""
        verdicts, before = np.full(len(images), KEEP, np.int64), 0
        for look in self.looks:
            rows = np.flatnonzero(verdicts == KEEP)
            if len(rows):
                found = look(images[rows], labels[rows])
                verdicts[rows] = np.where(found == KEEP, KEEP, found + before)
            before += len(look.reasons)
        return verdicts


@dataclass(frozen=True)
class Tally:
    """How many images were drawn and kept, and why the others were not.

    Attributes:
        drawn: images by label.
        rejected: by reason, then by label; only what there is.
    """

    drawn: dict[int, int] = field(default_factory=dict)
    rejected: dict[str, dict[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, verdicts: Verdicts, labels: Labels, reasons: Sequence[str]) -> Self:
        """Count the verdicts [N] int64 on images of classes [N] int64.

        Raises:
            ValueError: a verdict is none of the reasons.
        """
        known = bool(((verdicts >= KEEP) & (verdicts <= len(reasons))).all())
        if len(verdicts) != len(labels) or not known:
            raise ValueError(f"there are {len(verdicts)} verdicts for {len(labels)} images and {len(reasons)} reasons")
        found = {reason: _by_label(labels[verdicts == 1 + place]) for place, reason in enumerate(reasons)}
        rejected = {reason: counts for reason, counts in found.items() if counts}
        return cls(_by_label(labels), rejected)

    def __add__(self, other: "Tally") -> "Tally":
        """Return what both counted; the order in which blocks are added changes nothing."""
        reasons = sorted(self.rejected.keys() | other.rejected.keys())
        rejected = {each: _sum(self.rejected.get(each, {}), other.rejected.get(each, {})) for each in reasons}
        return Tally(_sum(self.drawn, other.drawn), rejected)

    @property
    def num_drawn(self) -> int:
        """All images that were drawn."""
        return sum(self.drawn.values())

    @property
    def num_rejected(self) -> dict[str, int]:
        """How many were rejected, by reason."""
        return {reason: sum(counts.values()) for reason, counts in self.rejected.items()}

    @property
    def kept(self) -> dict[int, int]:
        """How many were kept, by label."""
        lost = self.rejected.values()
        return {label: count - sum(each.get(label, 0) for each in lost) for label, count in self.drawn.items()}

    @property
    def share_kept(self) -> float:
        """The yield: kept of drawn, 1 where nothing was drawn."""
        return sum(self.kept.values()) / self.num_drawn if self.num_drawn else 1.0

    def worst_class(self) -> tuple[int, float] | None:
        """Return the label of which the smallest share was kept, and that share; None where nothing was drawn."""
        kept = self.kept
        shares = [(kept[label] / count, label) for label, count in sorted(self.drawn.items())]
        return (min(shares)[1], min(shares)[0]) if shares else None


@dataclass(frozen=True)
class CoverageLost:
    """What share of real images no generated one is near to any more.

    Both sets are compared at the same number of images: fewer images cover less by themselves.

    Attributes:
        coverage_drawn: coverage of all that were drawn.
        coverage_kept: of those that were kept.
        recall_drawn: likewise.
        recall_kept: likewise.
        num_images: of each set.
    """

    coverage_drawn: Estimate
    coverage_kept: Estimate
    recall_drawn: Estimate
    recall_kept: Estimate
    num_images: int

    @property
    def coverage(self) -> float:
        """Coverage lost: above 0 where selecting costs some."""
        return self.coverage_drawn.value - self.coverage_kept.value

    @property
    def recall(self) -> float:
        """Recall lost."""
        return self.recall_drawn.value - self.recall_kept.value

    @property
    def beyond_chance(self) -> bool:
        """Whether either is lower by more than the intervals of both leave open."""
        return self.coverage_kept.high < self.coverage_drawn.low or self.recall_kept.high < self.recall_drawn.low


def coverage_lost(
    drawn: Features, kept: npt.NDArray[np.bool_], real: Features, *, neighbours: int = 5, device: str = "cpu"
) -> CoverageLost:
    """Compare the first images that were kept with as many of the first that were drawn, by coverage and recall.

    Args:
        drawn: features [N, D] of all images that were drawn.
        kept: [N] bool, which of them were.
        real: features [M, D] of real images.
        neighbours: k of the manifolds.
        device: where distances are taken.

    Raises:
        ValueError: fewer images than k + 1 were kept, or as `manifold` does.
    """
    chosen = drawn[kept]
    of_drawn = manifold(drawn[: len(chosen)], real, k=neighbours, device=device)
    of_kept = manifold(chosen, real, k=neighbours, device=device)
    return CoverageLost(of_drawn.coverage, of_kept.coverage, of_drawn.recall, of_kept.recall, of_kept.num_generated)


def _by_label(labels: Labels) -> dict[int, int]:
    found, counts = np.unique(labels, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _sum(a: dict[int, int], b: dict[int, int]) -> dict[int, int]:
    return {label: a.get(label, 0) + b.get(label, 0) for label in sorted(a.keys() | b.keys())}
