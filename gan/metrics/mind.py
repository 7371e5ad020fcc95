"""MIND: optimal transport between features, direction by direction, with a 95 % interval."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan.keyed_random import Purpose, normal
from gan.metrics.estimate import Estimate
from gan.metrics.fid_interval import fid_interval
from gan.metrics.frechet import Features
from gan.metrics.paired import Influences

PROJECTIONS = 1000
"""Directions, as published."""
SCALE = 3.0
"""Times D: the published constant, by which MIND is of FID's order; of isotropic Gaussians it is 3 FID."""
_BLOCK = 32


def mind_estimate(features_a: Features, features_b: Features, *, projections: int = PROJECTIONS) -> Estimate:
    """Return MIND with an interval for drawing both sets anew, at these very numbers of images, along these directions.

    As FID it falls with the number of images whatever the generator does, and the interval is made as FID's is.
    """
    return fid_interval(mind_influences(features_a, features_b, projections=projections))


def mind_influences(features_a: Features, features_b: Features, *, projections: int = PROJECTIONS) -> Influences:
    """Return 3 D times the squared sliced 2-Wasserstein distance, and the influence of each image on it.

    Along a direction optimal transport is to match what has the same rank. Where one set is larger, the quantile
    functions are matched, without leaving images out. The directions are the same in every call. The influence of an
    image is the Kantorovich potential where it lies: its slope is twice the way that the image is moved.

    Args:
        features_a: [N_a, D] of any float dtype, N_a from 2 up; products are taken in that dtype, sums in float64.
        features_b: [N_b, D] likewise.
        projections: directions, from 1 up; beside the features some 100 bytes for each image are used.

    Raises:
        ValueError: a set has fewer than 2 features, or the two differ in D.

    Reference: Berthet et al., MIND: Monge Inception Distance for Generative Models Evaluation, 2026, for the scale and
    the number of directions; Bonneel et al., Sliced and Radon Wasserstein Barycenters of Measures, 2015, for the
    distance; Santambrogio, Optimal Transport for Applied Mathematicians, 2015, proposition 7.17, for the derivative.
    """
    if features_a.shape[1:] != features_b.shape[1:] or min(len(features_a), len(features_b)) < 2:
        raise ValueError(f"features are {features_a.shape} and {features_b.shape}, expected [N, D] with N from 2 up")
    count_a, count_b = len(features_a), len(features_b)
    directions = _directions(projections, features_a.shape[1])
    pieces_a, pieces_b, widths = _common_pieces(count_a, count_b)
    total = 0.0
    influences_a, influences_b = (torch.zeros(count, dtype=torch.float64) for count in (count_a, count_b))
    for start in range(0, projections, _BLOCK):
        block = directions[start : start + _BLOCK]
        (values_a, order_a), (values_b, order_b) = (_sorted(block, each) for each in (features_a, features_b))
        moved = values_a[:, pieces_a] - values_b[:, pieces_b]
        total += float((moved.square() * widths).sum())
        influences_a.index_add_(0, order_a.flatten(), _potential(values_a, moved * widths, pieces_a).flatten())
        influences_b.index_add_(0, order_b.flatten(), _potential(values_b, -moved * widths, pieces_b).flatten())
    scale = SCALE * features_a.shape[1] / projections
    generated, reference = (scale * each.numpy() for each in (influences_a, influences_b))
    return Influences(scale * total, generated, reference, count_a, count_b)


def _directions(count: int, dimensions: int) -> npt.NDArray[np.float32]:
    drawn = normal(torch.arange(count), Purpose.PROJECTION, dimensions).double()
    result: npt.NDArray[np.float32] = (drawn / drawn.norm(dim=1, keepdim=True)).float().numpy()
    return result


def _sorted(directions: npt.NDArray[np.float32], features: Features) -> tuple[Tensor, Tensor]:
    # [directions, N] float64, ascending, and which image each is
    values, order = torch.from_numpy(directions @ features.T).sort(dim=1, stable=True)
    return values.double(), order


def _common_pieces(count_a: int, count_b: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut [0, 1] where either quantile function jumps: for each piece its rank in both sets, and its width."""
    whole = count_a * count_b
    ends = np.union1d(np.arange(1, count_a + 1) * count_b, np.arange(1, count_b + 1) * count_a)
    starts = np.concatenate([[0], ends[:-1]])
    in_a, in_b = (torch.from_numpy(starts // jump) for jump in (count_b, count_a))
    return in_a, in_b, torch.from_numpy((ends - starts) / whole)


def _potential(values: Tensor, moved: Tensor, pieces: Tensor) -> Tensor:
    # the integral of its slope over the sorted values [directions, N], 0 at the first
    slope = torch.zeros_like(values).index_add_(1, pieces, moved) * (2 * values.shape[1])
    steps = (slope[:, 1:] + slope[:, :-1]) / 2 * values.diff(dim=1)
    return torch.nn.functional.pad(steps.cumsum(dim=1), (1, 0))
