"""Which drawn images are kept: looks at blocks of them, and what selecting costs in variety."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gan.metrics.estimate import Estimate
from gan.metrics.manifold import manifold

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Verdicts = npt.NDArray[np.int64]
Features = npt.NDArray[np.floating[Any]]

KEEP = 0
NEIGHBOURS = 5
"""To which the balls reach by which variety is compared."""


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
class CoverageLost:
    """What share of real images no generated one is near to any more.

    Both sets have the same number of images: fewer images cover less by themselves.

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

    def stated(self) -> dict[str, Any]:
        """Return it as a JSON tree."""
        return {**asdict(self), "beyond_chance": self.beyond_chance}


def coverage_lost(
    drawn: Features, kept: Features, real: Features, *, neighbours: int = NEIGHBOURS, device: str = "cpu"
) -> CoverageLost:
    """Compare what was drawn at first for some rows with what is there of them now, by coverage and recall.

    Args:
        drawn: features [N, D] of the images that were drawn at first.
        kept: [N, D] of those that were kept; the same where nothing was rejected.
        real: [M, D] of real images.
        neighbours: k of the manifolds.
        device: where distances are taken.

    Raises:
        ValueError: there are not as many of both, or as `manifold` does.
    """
    if drawn.shape != kept.shape:
        raise ValueError(f"{len(drawn)} images were drawn and {len(kept)} kept: give features of the same rows")
    of_drawn, of_kept = (manifold(each, real, k=neighbours, device=device) for each in (drawn, kept))
    return CoverageLost(of_drawn.coverage, of_kept.coverage, of_drawn.recall, of_kept.recall, of_kept.num_generated)
