"""How many generated images are copies of training images, told by what images do that cannot be copies."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from gan.metrics.copy_control import (
    RESAMPLES,
    Control,
    Nearer,
    control_of,
    looked_up,
    nearer,
    redrawn,
    score_threshold,
)
from gan.metrics.estimate import Estimate
from gan.metrics.neighbours import nearest
from gan.metrics.pixel_vectors import PixelVectors

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.int64]

_NEIGHBOURS = 10

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
    """What was found; without a control there are pairs alone.

    Attributes:
        pairs: the most suspicious first.
        control: what generated images are held against.
        share: of generated images that are called copies, in [0, 1]; the interval is for drawing generated images and
            control anew.
        expected: the share that chance flags, the level: there are copies where `share.low` lies above it.
        control_share: of the control that is called copies; far above `expected`, it has copies itself.
        threshold: of the score, below which an image is a copy.
        nearer: how all images compare; None where held out images are the control.
    """

    pairs: tuple[CopyPair, ...]
    control: Control | None = None
    share: Estimate | None = None
    expected: float | None = None
    control_share: float | None = None
    threshold: float | None = None
    nearer: Nearer | None = None


@dataclass(frozen=True, kw_only=True)
class FeatureCopiesResult(CopiesResult):
    """What was found by features.

    Attributes:
        authenticity: share of generated images that are farther from the nearest training image than that one is from
            its own nearest other, 0.5 to 0.9 for new real images, by how features crowd; copies of images that the
            training set holds twice pass for authentic. The interval is for drawing generated images anew.
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

    Which images are the control, `control_of` says; `score_threshold`, from which score on an image is a copy. A small
    control flags far fewer honest images than the level, and sees close copies alone.

    A generated image that is near to a training image because real images are, as the test images of CIFAR-10 that
    repeat training images, counts as a copy: the pairs and `control_share` show it.

    Args:
        generated: [N, D] of any float dtype, finite, N from 1 up.
        training: [M, D] likewise, M from 2 up.
        holdout: [H, D] likewise, real images that were not trained on; None where there are none.
        level: the share of honest images that may be flagged, in (0, 0.1].
        pairs: how many pairs to return.
        device: where distances are taken.

    Raises:
        ValueError: a set is too small or of another shape, features are not finite, or level or pairs are out of range.

    Reference: Carlini et al., Extracting Training Data from Diffusion Models, 2023, for the score; Alaa et al., How
    Faithful is your Synthetic Data?, 2022, for authenticity.
    """
    require_enough(generated, training, level, pairs)
    search = partial(nearest, device=device)
    originals = _unit(training)
    scores, distances, indices = copy_scores(search, _unit(generated), originals)
    control = control_of(len(training), 0 if holdout is None else len(holdout))
    suspicious = scores.argsort(kind="stable")[:pairs]
    found = tuple(CopyPair(int(i), int(indices[i]), float(scores[i])) for i in suspicious)
    authentic = int((distances > _to_nearest_other(search, originals, indices)).sum())
    authenticity = share_of(authentic, [authentic] * RESAMPLES, len(scores))
    if control is None:
        return FeatureCopiesResult(found, authenticity=authenticity)
    if holdout is not None and control is Control.HELD_OUT:
        chance = copy_scores(search, _unit(holdout), originals)[0]
    else:
        own = looked_up(len(originals))
        chance = copy_scores(search, originals[own], originals, own)[0]
    threshold = score_threshold(chance, level)
    hits = [int((scores < score_threshold(chance[rows], level)).sum()) for rows in redrawn(len(chance))]
    return FeatureCopiesResult(
        found,
        control,
        share_of(int((scores < threshold).sum()), hits, len(scores)),
        level,
        float((chance < threshold).mean()),
        threshold,
        nearer(scores, chance) if control is Control.AMONG else None,
        authenticity=authenticity,
    )


def require_enough(generated: Sized, training: Sized, level: float, pairs: int) -> None:
    """Return if there is enough to look for copies in.

    Raises:
        ValueError: a set is too small, or level or pairs are out of range.
    """
    if len(generated) < 1 or len(training) < 2:
        raise ValueError(
            f"there are {len(generated)} generated and {len(training)} training images, but at least 1 and 2 are needed"
        )
    if not 0.0 < level <= 0.1 or pairs < 0:
        raise ValueError(f"level = {level} and pairs = {pairs}, but level is in (0, 0.1] and pairs from 0 up")


def copy_scores(
    search: Search[Vectors], queries: Vectors, training: Vectors, own: Indices | None = None
) -> tuple[Array, Array, Indices]:
    """Return the scores [N] of images, their distances [N] to the nearest training image, and its index [N].

    Args:
        search: returns the k nearest of the second for each of the first: distances [N, k] and indices [N, k].
        queries: N of them.
        training: from 2 up; from 3 up with `own`.
        own: [N] which training images the queries are, none of which finds itself; None where they are others.
    """
    itself = own is not None
    distances, indices = search(queries, training, min(_NEIGHBOURS + 1 + itself, len(training)))
    if own is not None:  # last, or beyond the end among images that equal it
        others = np.argsort(indices == own[:, None], axis=1, kind="stable")[:, :-1]
        distances = np.take_along_axis(distances, others, axis=1)
        indices = np.take_along_axis(indices, others, axis=1)
    nearest_one, others_mean = distances[:, 0].astype(np.float64), distances[:, 1:].mean(axis=1, dtype=np.float64)
    # an image that equals more training images than were looked at is a copy too
    scores = np.divide(nearest_one, others_mean, out=np.zeros_like(others_mean), where=others_mean > 0)
    return scores, nearest_one, indices[:, 0]


def share_of(hits: int, redrawn_hits: Sequence[int], total: int) -> Estimate:
    """Return the share of `hits` in `total`, with what is left possible if generated images are drawn anew, too.

    Args:
        hits: from 0 up to total.
        redrawn_hits: with each control that was drawn anew.
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
