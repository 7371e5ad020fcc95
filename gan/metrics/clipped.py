"""Density and coverage as shares of good images: each ball and each image counts for so much and no more."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def clipped_radii(radii: Array) -> Array:
    """Return radii [N, columns] that are at most their column's median: an outlier's ball is no larger than others.

    Reference: Salvy, Talbot and Thirion, Enhanced Generative Model Evaluation with Clipped Density and Coverage, 2025.
    """
    result: Array = np.minimum(radii, np.nanmedian(radii, axis=0))
    return result


def clipped_counts(counts: npt.NDArray[Any], k: int) -> Array:
    """Return counts by k, where more than k count as k; nan stays."""
    result: Array = np.minimum(counts / k, 1.0)
    return result


def share_of_good(coverage: float, k: int, *, generated: int, reference: int) -> float:
    """Return which share of the generated images must be like real ones for that mean clipped count in the real balls.

    Where m of them are drawn as the reference was, a ball out to the k-th of its N - 1 fellows holds a Beta(k, N - k)
    share of the distribution, so j of the m with a beta-binomial probability, and E min(j, k) / k is the mean. Its
    inverse makes the score linear in the share of good images: bad ones lie in no ball.

    Args:
        coverage: mean over the real balls of min(generated images inside, k) / k.
        k: the neighbour that a ball reaches to, below `reference`.
        generated: images, M.
        reference: real images, N.

    Returns:
        In [0, 1]; 1 from what M good images give in the mean.

    Reference: Salvy, Talbot and Thirion, Enhanced Generative Model Evaluation with Clipped Density and Coverage, 2025.
    """
    good = np.arange(generated + 1.0)
    return float(np.interp(coverage, _expected(k, generated, reference), good / generated))


def _expected(k: int, generated: int, reference: int) -> Array:
    # E min(j, k) / k = 1 - sum over j < k of (1 - j / k) P(j), for m = 0, 1, ..., M good images; in logarithms
    factorial = np.concatenate([[0.0], np.log(np.arange(1, generated + reference)).cumsum()])
    good, j = np.arange(generated + 1)[:, None], np.arange(k)
    rest = (good - j).clip(min=0)
    choices = factorial[good] - factorial[j] - factorial[rest]
    inside = factorial[k + j - 1] + factorial[reference - k + rest - 1] - factorial[reference + good - 1]
    whole = factorial[k - 1] + factorial[reference - k - 1] - factorial[reference - 1]
    chances = np.where(good >= j, np.exp(choices + inside - whole), 0.0)
    result: Array = 1.0 - chances @ (1.0 - j / k)
    result[0] = 0.0
    return result
