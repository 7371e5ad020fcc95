"""How many generated images are copies of training images, told by what chance does on a holdout."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from gan.metrics.estimate import Estimate
from gan.metrics.neighbours import nearest
from gan.metrics.pixel_vectors import Images, PixelVectors, nearest_pixels

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.int64]

MIN_HOLDOUT = 20

_NEIGHBOURS = 10
_BEYOND_CHANCE = 1e-4
_RESAMPLES = 400
_LEAST_SCORE = 1e-6  # keeps the logarithm of a score finite

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
        share: of generated images with a score below the threshold, in [0, 1]; the interval is for drawing generated
            images and holdout anew.
        expected: the share that chance flags, the level: there are copies where `share.low` lies above it.
        holdout_share: of holdout images below the threshold; far above `expected`, the holdout itself has copies.
        threshold: of the score.
        authenticity: share of generated images that are farther from the nearest training image than that one is from
            its own nearest other, about 0.6 to 0.9 for new real images; copies of images that the training set holds
            twice pass for authentic. The interval is for drawing generated images anew.
        pairs: the most suspicious first.
    """

    share: Estimate | None
    expected: float | None
    holdout_share: float | None
    threshold: float | None
    authenticity: Estimate
    pairs: tuple[CopyPair, ...]


def find_copies(
    generated: Features,
    training: Features,
    holdout: Features | None,
    *,
    level: float = 0.005,
    pairs: int = 20,
    device: str | torch.device = "cpu",
) -> CopiesResult:
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
    held = None if holdout is None else _unit(holdout)
    return _find(_unit(generated), _unit(training), held, partial(nearest, device=device), level, pairs)


def find_pixel_copies(
    generated: Images,
    training: Images,
    holdout: Images | None,
    *,
    level: float = 0.005,
    pairs: int = 20,
    device: str | torch.device = "cpu",
) -> CopiesResult:
    """Find copies by their pixels, also if they are shifted by 2 pixels, mirrored, recompressed, noised or brighter.

    Score and threshold are those of `find_copies`, with the distance of `nearest_pixels`.

    Args:
        generated: [N, H, W, C] uint8, C = 1 or 3.
        training: images of the same size.
        holdout: likewise, or None.
        level: see `find_copies`.
        pairs: see `find_copies`.
        device: where distances are taken.

    Raises:
        ValueError: a set is too small, of another shape or dtype, or level or pairs are out of range.
    """
    shapes = {each.shape[1:] for each in (generated, training, holdout) if each is not None}
    if len(shapes) > 1:
        raise ValueError(f"images of one size are needed, but there are {sorted(shapes)}")
    vectors = partial(PixelVectors.of, device=device)
    held = None if holdout is None else vectors(holdout)
    return _find(vectors(generated), vectors(training), held, partial(nearest_pixels, device=device), level, pairs)


def _find(
    generated: Vectors, training: Vectors, holdout: Vectors | None, search: Search[Vectors], level: float, pairs: int
) -> CopiesResult:
    held = MIN_HOLDOUT if holdout is None else len(holdout)
    if len(generated) < 1 or len(training) < 2 or held < MIN_HOLDOUT:
        raise ValueError(
            f"there are {len(generated)} generated, {len(training)} training and {held} holdout images, but at least "
            f"1, 2 and {MIN_HOLDOUT} are needed"
        )
    if not 0.0 < level <= 0.1 or pairs < 0:
        raise ValueError(f"level = {level} and pairs = {pairs}, but level is in (0, 0.1] and pairs from 0 up")
    scores, distances, indices = _scores(search, generated, training)
    share = expected = holdout_share = threshold = None
    if holdout is not None:
        chance = _scores(search, holdout, training)[0]
        threshold = _threshold(chance, level)
        share, expected, holdout_share = _share(scores, chance, level), level, float((chance < threshold).mean())
    authentic = int((distances > _to_nearest_other(search, training, indices)).sum())
    suspicious = scores.argsort(kind="stable")[:pairs]
    return CopiesResult(
        share=share,
        expected=expected,
        holdout_share=holdout_share,
        threshold=threshold,
        authenticity=_estimate(authentic, np.full(_RESAMPLES, authentic), len(scores)),
        pairs=tuple(CopyPair(int(i), int(indices[i]), float(scores[i])) for i in suspicious),
    )


def _scores(search: Search[Vectors], queries: Vectors, training: Vectors) -> tuple[Array, Array, Indices]:
    # scores, distances to the nearest training image, and its index, each [N]
    distances, indices = search(queries, training, min(_NEIGHBOURS + 1, len(training)))
    nearest_one, others = distances[:, 0].astype(np.float64), distances[:, 1:].mean(axis=1, dtype=np.float64)
    # an image that equals more training images than were looked at is a copy too
    scores = np.divide(nearest_one, others, out=np.zeros_like(others), where=others > 0)
    return scores, nearest_one, indices[:, 0]


def _to_nearest_other(search: Search[Vectors], training: Vectors, indices: Indices) -> Array:
    # distance of each training image in `indices` to the nearest one besides itself
    rows, inverse = np.unique(indices, return_inverse=True)
    distances, found = search(training[rows], training, 2)
    own_first = found[:, 0] == rows
    result: Array = np.where(own_first, distances[:, 1], distances[:, 0]).astype(np.float64)[inverse]
    return result


def _threshold(chance: Array, level: float) -> float:
    model = _model_quantile(chance, level)
    explained = chance[chance >= _model_quantile(chance, _BEYOND_CHANCE)]
    if not len(explained):  # all of them are copies themselves: chance cannot be told from them
        return model
    # below what so few images resolve, the model's slope goes on from the smallest score
    resolved = max(level, 1.0 / (len(explained) + 1))
    at_resolved = float(np.quantile(explained, resolved, method="lower"))
    return min(model, at_resolved * model / _model_quantile(chance, resolved))


def _model_quantile(scores: Array, level: float) -> float:
    # in a Weibull distribution, log score is a line over log(-log(1 - level))
    low, middle, at = np.log(-np.log1p(-np.array([0.1, 0.5, level])))
    log_low, log_middle = np.log(np.quantile(scores, [0.1, 0.5]).clip(min=_LEAST_SCORE))
    return float(np.exp(log_low + (at - low) * (log_middle - log_low) / (middle - low)))


def _share(scores: Array, chance: Array, level: float) -> Estimate:
    rng = np.random.default_rng(0)
    redrawn = (chance[rng.integers(len(chance), size=len(chance))] for _ in range(_RESAMPLES))
    flagged = np.array([(scores < _threshold(each, level)).sum() for each in redrawn])
    return _estimate(int((scores < _threshold(chance, level)).sum()), flagged, len(scores))


def _estimate(hits: int, redrawn_hits: Indices, total: int) -> Estimate:
    # the generated images are redrawn, too: what hits of total leave possible, by Jeffreys' prior
    shares = np.random.default_rng(1).beta(redrawn_hits + 0.5, total - redrawn_hits + 0.5)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Estimate(hits / total, min(hits / total, float(low)), max(hits / total, float(high)))


def _unit(features: Features) -> Features:
    if features.ndim != 2:
        raise ValueError(f"features are {features.shape}, expected [N, D]")
    rows = features.astype(np.float32, copy=False)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise ValueError("features are not finite")
    result: Features = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    return result
