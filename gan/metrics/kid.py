"""Kernel Inception Distance: unbiased at every number of images, which FID is not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating[Any]]
_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class KidResult:
    """KID with its uncertainty, and the subsets it was really computed with."""

    mean: float  # the score; it may be a little below 0, because the estimate is unbiased
    standard_error: float  # of `mean`, for drawing both sets of images anew
    std: float  # over the subsets; papers often print it beside the mean
    subsets: int
    subset_size: int  # of the score: at most the smaller set
    interval_subset_size: int  # of `std` and `standard_error`


def kid(
    features_a: Features, features_b: Features, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> KidResult:
    """Return the mean over random subsets of the unbiased squared MMD with the kernel (x.y / D + 1)^3.

    `subset_size` is lowered to the smaller set's size. Where it reaches it, all subsets of that set would be equal:
    the score is then the estimate on all images at once, and the interval comes from subsets of half that size.

    The subsets of one set overlap, so that std / sqrt(subsets) would be far too small an error. With m of n images
    in a subset, the standard error is std * sqrt(m / (n - m) + 1 / subsets): the delete-d jackknife, plus the error
    from drawing finitely many subsets. With sets of different sizes, n is the smaller one (a cautious choice).

    Args:
        features_a: [N_a, D] of any float dtype, N_a from 4 up; products are taken in that dtype, sums in float64.
        features_b: [N_b, D] likewise.
        subsets: how many subsets are drawn, from 2 up.
        subset_size: images of each set in a subset, from 2 up.
        seed: of the subsets; the same seed gives the same result.

    Raises:
        ValueError: a set has fewer than 4 features, the two differ in D, or the subsets are too few or too small.

    Reference: Binkowski et al., Demystifying MMD GANs, 2018, section 4 and equation 4; Shao and Wu, A General Theory
    for Jackknife Variance Estimation, 1989, for the standard error.
    """
    smaller = min(len(features_a), len(features_b))
    if features_a.shape[1:] != features_b.shape[1:] or smaller < 4:
        raise ValueError(f"features are {features_a.shape} and {features_b.shape}, expected [N, D] with N from 4 up")
    if subsets < 2 or subset_size < 2:
        raise ValueError(f"subsets = {subsets} and subset_size = {subset_size}, but both must be at least 2")
    whole = subset_size >= smaller
    size = smaller // 2 if whole else subset_size
    rng = np.random.default_rng(seed)
    picks = [(rng.permutation(len(features_a))[:size], rng.permutation(len(features_b))[:size]) for _ in range(subsets)]
    estimates = _estimates(features_a, features_b, picks)
    std = float(estimates.std(ddof=1))
    mean = _estimate_all(features_a, features_b) if whole else float(estimates.mean())
    drawing = 0.0 if whole else 1.0 / subsets
    return KidResult(
        mean=mean,
        standard_error=std * float(np.sqrt(size / (smaller - size) + drawing)),
        std=std,
        subsets=subsets,
        subset_size=min(subset_size, smaller),
        interval_subset_size=size,
    )


Picks = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]


def _estimates(a: Features, b: Features, picks: Picks) -> npt.NDArray[np.float64]:
    # one kernel matrix of everything serves all subsets, and is cheaper unless the sets are far larger than these
    size, most = len(picks[0][0]), max(len(a), len(b))
    if most * most > len(picks) * size * size:
        return np.array([_estimate_all(a[i], b[j]) for i, j in picks])
    in_a, in_b = _membership([i for i, _ in picks], len(a)), _membership([j for _, j in picks], len(b))
    within = (_sums(a, a, in_a, in_a) - _diagonal(a) @ in_a) + (_sums(b, b, in_b, in_b) - _diagonal(b) @ in_b)
    result: npt.NDArray[np.float64] = within / (size * (size - 1)) - 2.0 * _sums(a, b, in_a, in_b) / size**2
    return result


def _estimate_all(a: Features, b: Features) -> float:
    every_a, every_b = np.ones((len(a), 1)), np.ones((len(b), 1))
    within_a = (_sums(a, a, every_a, every_a)[0] - _diagonal(a).sum()) / (len(a) * (len(a) - 1))
    within_b = (_sums(b, b, every_b, every_b)[0] - _diagonal(b).sum()) / (len(b) * (len(b) - 1))
    return float(within_a + within_b - 2.0 * _sums(a, b, every_a, every_b)[0] / (len(a) * len(b)))


def _sums(
    a: Features, b: Features, in_a: npt.NDArray[np.float64], in_b: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    # column k: sum of the kernel over the rows of a and of b that in_a[:, k] and in_b[:, k] mark
    total = np.zeros(in_a.shape[1])
    for start in range(0, len(a), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        kernel = ((a[rows] @ b.T) / a.shape[1] + 1.0).astype(np.float64) ** 3
        total += ((kernel @ in_b) * in_a[rows]).sum(axis=0)
    return total


def _diagonal(features: Features) -> npt.NDArray[np.float64]:
    rows = features.astype(np.float64)
    result: npt.NDArray[np.float64] = ((rows * rows).sum(axis=1) / rows.shape[1] + 1.0) ** 3
    return result


def _membership(picks: list[npt.NDArray[np.int64]], count: int) -> npt.NDArray[np.float64]:
    marks = np.zeros((count, len(picks)))
    for column, pick in enumerate(picks):
        marks[pick, column] = 1.0
    return marks
