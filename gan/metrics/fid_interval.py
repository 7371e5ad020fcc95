"""FID with a 95 % interval, from the features that FID itself needs: no resampling, no second network pass."""

import math

import numpy as np

from gan.metrics.estimate import Estimate
from gan.metrics.frechet import Array, Features, Moments, centre, distance_of_traces
from gan.metrics.paired import NORMAL_QUANTILE, Influences

_BLOCK_ROWS = 1024


def fid_estimate(
    features_a: Features,
    features_b: Features,
    *,
    moments_a: Moments | None = None,
    moments_b: Moments | None = None,
) -> Estimate:
    """Return FID as `fid` computes it, with its interval: `fid_interval` of `fid_influences`."""
    return fid_interval(fid_influences(features_a, features_b, moments_a=moments_a, moments_b=moments_b))


def fid_influences(
    features_a: Features,
    features_b: Features,
    *,
    moments_a: Moments | None = None,
    moments_b: Moments | None = None,
) -> Influences:
    """Return FID as `fid` computes it, and the influence of each image on it.

    Args:
        features_a: [N_a, D] of any float dtype, N_a from 2 up; with `moments_a` a random part of what it has seen.
        features_b: [N_b, D] likewise.
        moments_a: of all features of the first set, where only a part of them was kept.
        moments_b: of all features of the second set, likewise.

    Raises:
        ValueError: a set has fewer than 2 features, the two differ in D, or moments are of fewer features than given.

    Reference: Olkin and Pukelsheim, The Distance between Two Random Vectors, 1982, for the derivative.
    """
    if features_a.shape[1:] != features_b.shape[1:] or min(len(features_a), len(features_b)) < 2:
        raise ValueError(f"features are {features_a.shape} and {features_b.shape}, expected [N, D] with N from 2 up")
    sets = ((features_a, moments_a), (features_b, moments_b))
    whole = all(moments is None or moments.count == len(features) for features, moments in sets)
    if whole and max(len(features_a), len(features_b)) < features_a.shape[1]:
        return Influences(*_by_products(features_a, features_b), len(features_a), len(features_b))
    all_a, all_b = _all(features_a, moments_a), _all(features_b, moments_b)
    return Influences(*_by_covariances(features_a, all_a, features_b, all_b), all_a.count, all_b.count)


def fid_interval(found: Influences) -> Estimate:
    """Return FID with an interval for drawing both sets anew.

    FID falls with the number of images, so the interval is for the mean of FID at these very numbers of images, not
    for FID of infinitely many.

    FID changes by influence(x) / N where an image x of N gains a little weight; the sum of its squares over both
    sets, divided by N^2, is the variance (infinitesimal jackknife). Where both sets are of one distribution this is
    about twice the true variance: the interval is then about 1.4 times as wide as it need be, on the safe side.
    FID is skewed and its variance is itself estimated, which counts with few images and heavy tails: the interval is
    taken on the logarithm of FID, with Student's quantile at the degrees of freedom that the influences leave.

    Args:
        found: of `fid_influences`.

    Reference: Efron and Stein, The Jackknife Estimate of Variance, 1981, for why it is not too small; Satterthwaite,
    An Approximate Distribution of Estimates of Variance Components, 1946, for the degrees of freedom.
    """
    value, variances, doubts = found.value, [], []
    for influences, count in ((found.generated, found.num_generated), (found.reference, found.num_reference)):
        centred = influences - influences.mean()
        variance = float(centred @ centred) / (len(centred) - 1)
        variances.append(variance / (count - 1))
        # the variance of a variance; below a Gaussian's kurtosis it is not trusted
        excess = max(float((centred**4).mean()) - variance**2, 2.0 * variance**2)
        doubts.append(excess / len(centred) / (count - 1) ** 2)
    total = sum(variances)
    if total == 0.0:
        return Estimate(value=value, low=value, high=value)
    half = _student_quantile(2.0 * total**2 / sum(doubts)) * math.sqrt(total)
    if half >= value:  # there the exponential runs away: its tangent goes on
        return Estimate(value=value, low=value * math.exp(-half / value) if value > 0.0 else 0.0, high=math.e * half)
    return Estimate(value=value, low=value * math.exp(-half / value), high=value * math.exp(half / value))


def _all(features: Features, moments: Moments | None) -> Moments:
    if moments is None:
        moments = Moments(features.shape[1])
        moments.update(features)
    if moments.count < len(features):
        raise ValueError(f"the moments are of {moments.count} features, but {len(features)} of them are given")
    return moments


def _by_products(features_a: Features, features_b: Features) -> tuple[float, Array, Array]:
    # with M = a b' = U S V', the terms x' T x of a's rows are the diagonal of (M M')^(1/2) = U S U': no inverse
    mean_a, a = centre(features_a)
    mean_b, b = centre(features_b)
    left, singular, right = np.linalg.svd(a @ b.T, full_matrices=False)
    squares_a, squares_b = (a * a).sum(axis=1), (b * b).sum(axis=1)
    value = distance_of_traces(mean_a, float(squares_a.sum()), mean_b, float(squares_b.sum()), float(singular.sum()))
    scale_a, scale_b = len(a) - 1, len(b) - 1  # `centre` divided by their roots
    shift = 2.0 * (mean_a - mean_b)
    influences_a = scale_a * (squares_a - (left * left) @ singular) + math.sqrt(scale_a) * (a @ shift)
    influences_b = scale_b * (squares_b - singular @ (right * right)) - math.sqrt(scale_b) * (b @ shift)
    return value, influences_a, influences_b


def _by_covariances(
    features_a: Features, all_a: Moments, features_b: Features, all_b: Moments
) -> tuple[float, Array, Array]:
    cov_a, cov_b = all_a.cov, all_b.cov
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(min=0.0))
    squared, turn = np.linalg.eigh(root.T @ cov_b @ root)
    trace_of_root = float(np.sqrt(squared.clip(min=0.0)).sum())
    value = distance_of_traces(all_a.mean, float(np.trace(cov_a)), all_b.mean, float(np.trace(cov_b)), trace_of_root)
    # The map T of optimal transport from a to b is forth @ forth.T, the one from b to a is back @ back.T.
    forth = (vectors * _power(values, -0.5)) @ (turn * _power(squared, 0.25))
    back = root @ (turn * _power(squared, -0.25))
    shift = 2.0 * (all_a.mean - all_b.mean)
    influences_a = _influences(features_a, all_a.mean, shift, forth)
    return value, influences_a, _influences(features_b, all_b.mean, -shift, back)


def _power(values: Array, exponent: float) -> Array:
    # directions without variance, known by values of the size of rounding, hold no image: they get 0
    least = values.max(initial=0.0) * len(values) * np.finfo(np.float64).eps
    result = np.zeros_like(values)
    np.power(values, exponent, out=result, where=values > least)
    return result


def _influences(features: Features, mean: Array, shift: Array, root_of_map: Features) -> Array:
    # shift' x + x' (I - T) x of the centred features x, but for a constant
    result, root_of_map = np.empty(len(features)), root_of_map.astype(np.float32)
    for start in range(0, len(features), _BLOCK_ROWS):
        rows = features[start : start + _BLOCK_ROWS] - mean
        mapped = rows.astype(np.float32) @ root_of_map  # half the time; a standard error needs few digits
        result[start : start + _BLOCK_ROWS] = (
            rows @ shift + (rows * rows).sum(axis=1) - np.einsum("nd,nd->n", mapped, mapped)
        )
    return result


def _student_quantile(freedom: float) -> float:
    # 97.5 %; Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5: to 1 % from 3 degrees of freedom up
    x = NORMAL_QUANTILE
    first, second = (x**3 + x) / 4.0, (5.0 * x**5 + 16.0 * x**3 + 3.0 * x) / 96.0
    third = (3.0 * x**7 + 19.0 * x**5 + 17.0 * x**3 - 15.0 * x) / 384.0
    return x + first / freedom + second / freedom**2 + third / freedom**3
