"""What images do that cannot be copies: held out ones, or where these are too few training images among themselves."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates import nearness
from gan.metrics.estimate import Estimate
from gan.metrics.ranks import auc

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MIN_CONTROL = 20
"""Images of a control at least: fewer say nothing."""
RESAMPLES = 400

_MOST = 2000  # training images that are looked up among the others
_HALVINGS = 50
_OF_MEDIAN = 1 / 3  # nearer than that, of the usual score, comes no image by chance
_INDEPENDENT = 0.5  # of training images among themselves: two that are nearest to each other share their distance


class Control(StrEnum):
    """By which images it is told how near an image comes that is no copy."""

    HELD_OUT = "held out images"
    AMONG = "training images among themselves"


def control_of(training: int, holdout: int) -> Control | None:
    """Return what is the control: held out images if there are enough, else training images; None without either.

    A training image that is looked up among the others is what an honest generator's image is to all of them: drawn
    from the same distribution and compared with one image less. Held out images are the better control, for they also
    show what the training images' own repeats hide.

    Args:
        training: how many images were trained on.
        holdout: how many were not.
    """
    if holdout >= MIN_CONTROL:
        return Control.HELD_OUT
    return Control.AMONG if training >= MIN_CONTROL else None


def looked_up(training: int) -> Indices:
    """Return which training images [n] int64 are looked up among the others: up to 2,000, evenly spread."""
    return np.linspace(0, training - 1, min(training, _MOST)).round().astype(np.int64)


def score_threshold(chance: Array, level: float) -> float:
    """Return below which score an image is a copy: as `nearness` says, with caution where the control is small.

    With fewer than 1 / level scores it is at most a third of the median: so few say little about a tail, and the tail
    of nearest distances falls with a power that is the number of dimensions.

    Args:
        chance: scores [H] of the control.
        level: share of honest images that may be flagged, in (0, 0.1].
    """
    threshold, usual = nearness.score_threshold(chance, level), nearness.explained(chance)
    if len(chance) * level >= 1.0 or not len(usual):
        return threshold
    return min(threshold, _OF_MEDIAN * float(np.median(usual)))


def redrawn(count: int) -> Iterator[Indices]:
    """Yield the rows [count] int64 of a control of so many images that is drawn anew, always the same draws."""
    rng = np.random.default_rng(0)
    for _ in range(RESAMPLES):
        yield rng.integers(count, size=count)


class Nearer(NamedTuple):
    """How often a generated image singles a training image out more than training images do one another.

    Attributes:
        found: chance that a generated image has a lower score than a training image among the others; 0.5 is expected.
        control: one half, and by how much two halves of the training images differ in the mean.
    """

    found: Estimate
    control: float


def nearer(scores: Array, chance: Array) -> Nearer | None:
    """Compare all scores of generated images [N] with those of training images among themselves [H], by their ranks.

    It sees what shares of copies do not: a generator that blends its training images comes nearer to them with every
    image, and with none so near as a copy. A generator whose images are unlike real ones is not called near by it. None
    for a single image.

    Reference: Meehan, Chaudhuri and Dasgupta, A Non-Parametric Test to Detect Data-Copying in Generative Models, 2020,
    for the ranks, there of held out images.
    """
    if len(scores) < 2:
        return None
    rng, half = np.random.default_rng(0), len(chance) // 2
    halves = (np.split(chance[rng.permutation(len(chance))], [half]) for _ in range(_HALVINGS))
    off = np.mean([abs(auc(first, second).value - 0.5) for first, second in halves])
    return Nearer(auc(chance, scores, independent=_INDEPENDENT), 0.5 + float(off))
