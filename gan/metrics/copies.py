"""How many generated images are copies of training images, told by what chance does on a holdout."""

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from gan.data.near_duplicates.nearness import score_threshold
from gan.metrics.estimate import Estimate
from gan.metrics.neighbours import nearest
from gan.metrics.pixel_vectors import PixelVectors

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.int64]

MIN_HOLDOUT = 20

_NEIGHBOURS = 10
_RESAMPLES = 400

Vectors = TypeVar("Vectors", Features, PixelVectors)
Search = Callable[[Vectors, Vectors, int], tuple[npt.NDArray[np.float32], Indices]]


@dataclass(frozen=True)
class CopyPair:
    """A generated image and the training image nearest to it, as indices; score 0 is equal, chance lies near 0.9."""

    generated: int
    training: int
    score: float


@dataclass(frozen=True)
class CopiesResult:
    """What was found; the first four are None without a holdout.

    Attributes:
        share: of generated images that are called copies, in [0, 1]; the interval is for drawing generated images and
            holdout anew.
        expected: the share that chance flags, the level: there are copies where `share.low` lies above it.
        holdout_share: of holdout images that are called copies; far above `expected`, the holdout itself has copies.
        threshold: of the score, below which an image is a copy.
        pairs: the most suspicious first.
    """

    share: Estimate | None
    expected: float | None
    holdout_share: float | None
    threshold: float | None
    pairs: tuple[CopyPair, ...]


@dataclass(frozen=True)
class FeatureCopiesResult(CopiesResult):
    """What was found by features.

    Attributes:
        authenticity: share of generated images that are farther from the nearest training image than that one is from
            its own nearest other, about 0.6 to 0.9 for new real images; copies of images that the training set holds
            twice pass for authentic. The interval is for drawing generated images anew.
    """

    authenticity: Estimate


def find_copies(
    generated: Features,
    training: Features,
    holdout: Features | None,
    *,
    level: float = 0.005,
    pairs: int = 20,
    device: str | torch.device = "cpu",
) -> FeatureCopiesResult:
    """Find generated images whose features lie nearer to a training image than chance brings them.

    The score of an image is its distance to the nearest training image divided by its mean distance to the 10 next
    ones, so that an image which is near to everything is not called a copy. Up to about 5 copies of an image within
    the training set leave its copies visible. Features are scaled to length 1 before.

    The threshold is the `level` quantile of the holdout's scores, after those are set aside that chance does not
    explain (near copies of training images), and at most that of a Weibull distribution through the 10 % and 50 %
    points, which nearest neighbours of scattered points follow. With fewer than 1 / level images, it lies below their
    smallest score by what that distribution says. A holdout of 50 images then flags about twice the level of honest
    images, and the share's interval is three times as wide as with 1,000.

    A generated image that is near to a training image because real images are, as the test images of CIFAR-10 that
    repeat training images, counts as a copy: the pairs and `holdout_share` show it.

    Args:
        generated: [N, D] of any float dtype, finite, N from 1 up.
        training: [M, D] likewise, M from 2 up.
        holdout: [H, D] likewise, real images that were not trained on, H from 20 up; None leaves authenticity alone.
        level: the share of honest images that may be flagged, in (0, 0.1].
        pairs: how many pairs to return.
        device: where distances are taken.

    Raises:
        ValueError: a set is too small or of another shape, features are not finite, or level or pairs are out of range.

    Reference: Carlini et al., Extracting Training Data from Diffusion Models, 2023, for the score; Alaa et al., How
    Faithful is your Synthetic Data?, 2022, for authenticity.
    """
    require_enough(generated, training, holdout, level, pairs)
    search = partial(nearest, device=device)
    originals = _unit(training)
    scores, distances, indices = copy_scores(search, _unit(generated), originals)
    share = expected = holdout_share = threshold = None
    if holdout is not None:
        chance = copy_scores(search, _unit(holdout), originals)[0]
        threshold = score_threshold(chance, level)
        hits = [int((scores < score_threshold(chance[rows], level)).sum()) for rows in redrawn(len(chance))]
        share = share_of(int((scores < threshold).sum()), hits, len(scores))
        expected, holdout_share = level, float((chance < threshold).mean())
    authentic = int((distances > _to_nearest_other(search, originals, indices)).sum())
    suspicious = scores.argsort(kind="stable")[:pairs]
    return FeatureCopiesResult(
        share=share,
        expected=expected,
        holdout_share=holdout_share,
        threshold=threshold,
        pairs=tuple(CopyPair(int(i), int(indices[i]), float(scores[i])) for i in suspicious),
        authenticity=share_of(authentic, [authentic] * _RESAMPLES, len(scores)),
    )


def require_enough(generated: Sized, training: Sized, holdout: Sized | None, level: float, pairs: int) -> None:
    """Return if there is enough to look for copies in.

    Raises:
        ValueError: a set is too small, or level or pairs are out of range.
    """
    held = MIN_HOLDOUT if holdout is None else len(holdout)
    if len(generated) < 1 or len(training) < 2 or held < MIN_HOLDOUT:
        raise ValueError(
            f"there are {len(generated)} generated, {len(training)} training and {held} holdout images, but at least "
            f"1, 2 and {MIN_HOLDOUT} are needed"
        )
    if not 0.0 < level <= 0.1 or pairs < 0:
        raise ValueError(f"level = {level} and pairs = {pairs}, but level is in (0, 0.1] and pairs from 0 up")


def copy_scores(search: Search[Vectors], queries: Vectors, training: Vectors) -> tuple[Array, Array, Indices]:
    """Return the scores [N] of images, their distances [N] to the nearest training image, and its index [N].

    Args:
        search: returns the k nearest of the second for each of the first: distances [N, k] and indices [N, k].
        queries: N of them.
        training: from 2 up.
    """
    distances, indices = search(queries, training, min(_NEIGHBOURS + 1, len(training)))
    nearest_one, others = distances[:, 0].astype(np.float64), distances[:, 1:].mean(axis=1, dtype=np.float64)
    # an image that equals more training images than were looked at is a copy too
    scores = np.divide(nearest_one, others, out=np.zeros_like(others), where=others > 0)
    return scores, nearest_one, indices[:, 0]


def redrawn(count: int) -> Iterator[Indices]:
    """Yield the rows [count] int64 of a holdout of so many images that is drawn anew, always the same draws."""
    rng = np.random.default_rng(0)
    for _ in range(_RESAMPLES):
        yield rng.integers(count, size=count)


def share_of(hits: int, redrawn_hits: Sequence[int], total: int) -> Estimate:
    """Return the share of `hits` in `total`, with what is left possible if generated images are drawn anew, too.

    Args:
        hits: from 0 up to total.
        redrawn_hits: with each holdout that was drawn anew.
        total: generated images.
    """
    # what hits of total leave possible, by Jeffreys' prior
    found = np.asarray(redrawn_hits)
    shares = np.random.default_rng(1).beta(found + 0.5, total - found + 0.5)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Estimate(hits / total, min(hits / total, float(low)), max(hits / total, float(high)))


def _to_nearest_other(search: Search[Vectors], training: Vectors, indices: Indices) -> Array:
    # distance of each training image in `indices` to the nearest one besides itself
    rows, inverse = np.unique(indices, return_inverse=True)
    distances, found = search(training[rows], training, 2)
    own_first = found[:, 0] == rows
    result: Array = np.where(own_first, distances[:, 1], distances[:, 0]).astype(np.float64)[inverse]
    return result


def _unit(features: Features) -> Features:
    if features.ndim != 2:
        raise ValueError(f"features are {features.shape}, expected [N, D]")
    rows = features.astype(np.float32, copy=False)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("features are not finite")
    result: Features = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return result
