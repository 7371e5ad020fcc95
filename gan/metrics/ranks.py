"""How well one set of numbers can be told from another by a threshold: the area under the curve, with its interval."""

import math

import numpy as np
import numpy.typing as npt

from gan.metrics.estimate import Estimate
from gan.metrics.paired import NORMAL_QUANTILE

Array = npt.NDArray[np.float64]


def auc(higher: Array, lower: Array, *, independent: float = 1.0) -> Estimate:
    """Return the chance that a number of the first set is above one of the second, with its 95 % interval.

    0.5 where they are of one distribution; ties count half. The interval is for drawing both sets anew. It is widened
    by what one pair of each set, ranked wrongly, would add, so that it is no point where the sets do not overlap.

    Args:
        higher: [M], M from 2 up.
        lower: [N], N from 2 up.
        independent: share of the first set that counts as drawn by itself, in (0, 1].

    Raises:
        ValueError: a set has fewer than 2 numbers, or one that is none.

    Reference: DeLong, DeLong and Clarke-Pearson, Comparing the Areas under Two or More Correlated Receiver Operating
    Characteristic Curves, 1988; Sun and Xu, Fast Implementation of DeLong's Algorithm, 2014, for the ranks.
    """
    m, n = len(higher), len(lower)
    if min(m, n) < 2 or np.isnan(higher).any() or np.isnan(lower).any():
        raise ValueError(f"there are {m} and {n} numbers, but at least 2 of each are needed, and none may be nan")
    of_higher = _below(lower, higher) / n
    of_lower = 1.0 - _below(higher, lower) / m
    value = float(of_higher.mean())
    drawn = m * independent
    variance = float(of_higher.var(ddof=1)) / drawn + float(of_lower.var(ddof=1)) / n
    half = NORMAL_QUANTILE * math.sqrt(variance + (0.5 / drawn) ** 2 + (0.5 / n) ** 2)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def _below(others: Array, numbers: Array) -> Array:
    # how many of the others lie below each number; those that are equal count half
    ordered = np.sort(others)
    left, right = (np.searchsorted(ordered, numbers, side=side) for side in ("left", "right"))
    result: Array = (left + right) / 2.0
    return result


def weighted_share(hits: Array, weights: Array) -> Estimate:
    """Return the weighted share of hits, with a 95 % interval for as many independent ones as the weights leave.

    Args:
        hits: [N] of 0 to 1.
        weights: [N], above 0: how many images hang together in each.

    Reference: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927; Kish, Survey
    Sampling, 1965, for the number of independent ones.
    """
    total = float(weights.sum())
    value, count = float((weights @ hits) / total), total**2 / float(weights @ weights)
    shrink = 1.0 + NORMAL_QUANTILE**2 / count
    centre = (value + NORMAL_QUANTILE**2 / (2.0 * count)) / shrink
    half = NORMAL_QUANTILE / shrink * math.sqrt(value * (1.0 - value) / count + (NORMAL_QUANTILE / (2.0 * count)) ** 2)
    return Estimate(value, max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)))
