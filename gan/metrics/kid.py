"""Kernel Inception Distance: unbiased at every number of images, which FID is not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating[Any]]
_BLOCK_ROWS = 2048


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
    everything = [(np.arange(len(features_a)), np.arange(len(features_b)))] if whole else []
    estimates = _estimates(features_a, features_b, picks + everything)
    std = float(estimates[:subsets].std(ddof=1))
    mean = float(estimates[subsets:].mean() if whole else estimates.mean())
    drawing = 0.0 if whole else 1.0 / subsets
    return KidResult(
        mean=mean,
        standard_error=std * float(np.sqrt(size / (smaller - size) + drawing)),
        std=std,
        subsets=subsets,
        subset_size=min(subset_size, smaller),
        interval_subset_size=size,
    )


def kid_per_class(
    features_a: Features,
    labels_a: npt.NDArray[np.int64],
    features_b: Features,
    labels_b: npt.NDArray[np.int64],
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> dict[int, KidResult]:
    """Return KID within each class, in the order of the labels.

    Classes with fewer than 4 features on a side, and features without a label (-1), are left out.

    Args:
        features_a: [N_a, D] of any float dtype.
        labels_a: [N_a] int64, -1 for none.
        features_b: [N_b, D] likewise.
        labels_b: [N_b] likewise.
        subsets: as `kid` takes it, in each class.
        subset_size: likewise.
        seed: likewise; a class has the same result whatever the others are.

    Raises:
        ValueError: there is not one label for each feature, or as `kid` does.
    """
    if len(features_a) != len(labels_a) or len(features_b) != len(labels_b):
        raise ValueError(
            f"there are {len(labels_a)} and {len(labels_b)} labels for {len(features_a)} and {len(features_b)} features"
        )
    results = {}
    for label in np.intersect1d(labels_a, labels_b).tolist():
        a, b = features_a[labels_a == label], features_b[labels_b == label]
        if label >= 0 and min(len(a), len(b)) >= 4:
            results[label] = kid(a, b, subsets=subsets, subset_size=subset_size, seed=seed)
    return results


Array = npt.NDArray[np.float64]


def kernel_between(a: Features, b: Features) -> Array:
    """Return KID's kernel (x.y / D + 1)^3 of each feature with each; the product is taken in their own dtype.

    Args:
        a: [N, D].
        b: [M, D].

    Returns:
        [N, M] float64.
    """
    kernel: Array = (a @ b.T).astype(np.float64)
    kernel /= a.shape[1]
    kernel += 1.0
    kernel *= kernel * kernel
    return kernel


def kernel_with_itself(features: Features) -> Array:
    """Return KID's kernel of each feature [N, D] with itself, [N] float64."""
    squares: Array = np.einsum("nd,nd->n", features, features, dtype=np.float64)
    result: Array = (squares / features.shape[1] + 1.0) ** 3
    return result


Picks = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]


def _estimates(a: Features, b: Features, picks: Picks) -> Array:
    # one kernel matrix of everything serves all subsets, and is cheaper unless the sets are far larger than these
    if len(a) ** 2 + len(b) ** 2 > sum(len(i) ** 2 + len(j) ** 2 for i, j in picks):
        return np.array([_estimate(a[i], b[j], np.ones((len(i), 1)), np.ones((len(j), 1)))[0] for i, j in picks])
    return _estimate(a, b, _membership([i for i, _ in picks], len(a)), _membership([j for _, j in picks], len(b)))


def _estimate(a: Features, b: Features, in_a: Array, in_b: Array) -> Array:
    # entry k: of the rows of a and of b that in_a[:, k] and in_b[:, k] mark with 1
    size_a, size_b = in_a.sum(axis=0), in_b.sum(axis=0)
    within_a = (_sums_within(a, in_a) - kernel_with_itself(a) @ in_a) / (size_a * (size_a - 1))
    within_b = (_sums_within(b, in_b) - kernel_with_itself(b) @ in_b) / (size_b * (size_b - 1))
    between = sum(_sum(a, rows, in_a, b, columns, in_b) for rows in _blocks(a) for columns in _blocks(b))
    result: Array = within_a + within_b - 2.0 * between / (size_a * size_b)
    return result


def _sums_within(a: Features, in_a: Array) -> Array:
    # the kernel is symmetric: what lies below the diagonal's blocks counts twice
    total = np.zeros(in_a.shape[1])
    for rows in _blocks(a):
        for columns in _blocks(a):
            if columns.start <= rows.start:
                total += (1.0 if columns == rows else 2.0) * _sum(a, rows, in_a, a, columns, in_a)
    return total


def _sum(a: Features, rows: slice, in_a: Array, b: Features, columns: slice, in_b: Array) -> Array:
    kernel = kernel_between(a[rows], b[columns])
    result: Array = ((kernel @ in_b[columns]) * in_a[rows]).sum(axis=0)
    return result


def _blocks(features: Features) -> list[slice]:
    return [slice(start, start + _BLOCK_ROWS) for start in range(0, len(features), _BLOCK_ROWS)]


def _membership(picks: list[npt.NDArray[np.int64]], count: int) -> Array:
    marks = np.zeros((count, len(picks)))
    for column, pick in enumerate(picks):
        marks[pick, column] = 1.0
    return marks
