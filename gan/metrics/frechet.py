"""Fréchet distance between two sets of features, in float64 and without a matrix square root."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]


class Moments:
    """Mean and covariance of features that arrive in pieces; pieces of several workers are merged without loss.

    Reference: Chan et al., Algorithms for Computing the Sample Variance, 1983, equations 2.1.
    """

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.mean: Array = np.zeros(dimensions)
        self.scatter: Array = np.zeros((dimensions, dimensions))

    def update(self, features: Features) -> None:
        """Add features [n, D] of any float dtype, n from 0 up."""
        if len(features) == 0:
            return
        piece = Moments(len(self.mean))
        rows = _float64(features)
        piece.count = len(rows)
        piece.mean = rows.mean(axis=0)
        centred = rows - piece.mean
        piece.scatter = centred.T @ centred
        self.merge(piece)

    def merge(self, other: "Moments") -> None:
        """Add everything that another accumulator has seen."""
        if other.count == 0:
            return
        total = self.count + other.count
        difference = other.mean - self.mean
        shift = np.outer(difference, difference) * (self.count * other.count / total)
        self.scatter = self.scatter + other.scatter + shift
        self.mean = self.mean + difference * (other.count / total)
        self.count = total

    @property
    def cov(self) -> Array:
        """Covariance [D, D] float64, divided by N - 1.

        Raises:
            ValueError: fewer than 2 features were seen.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 features, but there are {self.count}")
        return self.scatter / (self.count - 1)


def moments(features: Features) -> tuple[Array, Array]:
    """Return mean [D] and covariance [D, D], divided by N - 1, as float64.

    Args:
        features: [N, D] of any float dtype, N from 2 up.

    Raises:
        ValueError: there are fewer than 2 features.
    """
    accumulator = Moments(features.shape[1])
    accumulator.update(features)
    return accumulator.mean, accumulator.cov


def frechet_distance(mean1: Array, cov1: Array, mean2: Array, cov2: Array) -> float:
    """Return |mean1 - mean2|^2 + Tr(cov1 + cov2 - 2 (cov1 cov2)^(1/2)), never negative.

    The last trace is taken as the sum of the square roots of the eigenvalues of cov1^(1/2) cov2 cov1^(1/2), which is
    symmetric, so that singular covariances (fewer images than dimensions) give a finite and real answer.

    Args:
        mean1: [D] float64.
        cov1: [D, D] float64, symmetric.
        mean2: [D] float64.
        cov2: [D, D] float64, symmetric.

    Reference: Dowson and Landau, The Fréchet distance between multivariate normal distributions, 1982; Heusel et al.,
    GANs Trained by a Two Time-Scale Update Rule, 2017, equation 6.
    """
    values, vectors = np.linalg.eigh(cov1)
    # root.T @ cov2 @ root has the eigenvalues of cov1^(1/2) cov2 cov1^(1/2), at one product less
    root = vectors * np.sqrt(values.clip(min=0.0))
    squared = np.linalg.eigvalsh(root.T @ cov2 @ root).clip(min=0.0)
    return _distance(mean1, float(np.trace(cov1)), mean2, float(np.trace(cov2)), float(np.sqrt(squared).sum()))


def fid(features_a: Features, features_b: Features) -> float:
    """Return the Fréchet distance between two sets of features, by the cheaper of two exact forms.

    Where both sets have fewer images than dimensions, the trace of (cov_a cov_b)^(1/2) is the sum of the singular
    values of the product of the centred features, an [N_a, N_b] matrix; otherwise covariances are cheaper.

    Args:
        features_a: [N_a, D] of any float dtype, N_a from 2 up.
        features_b: [N_b, D] of any float dtype, N_b from 2 up.

    Raises:
        ValueError: a set has fewer than 2 features, or the two differ in D.

    Reference: Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017, equation 6.
    """
    if features_a.shape[1:] != features_b.shape[1:] or min(len(features_a), len(features_b)) < 2:
        raise ValueError(f"features are {features_a.shape} and {features_b.shape}, expected [N, D] with N from 2 up")
    if max(len(features_a), len(features_b)) >= features_a.shape[1]:
        return frechet_distance(*moments(features_a), *moments(features_b))
    mean_a, a = _centre(features_a)
    mean_b, b = _centre(features_b)
    trace_of_root = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    return _distance(mean_a, float((a * a).sum()), mean_b, float((b * b).sum()), trace_of_root)


def _centre(features: Features) -> tuple[Array, Array]:
    rows = _float64(features)
    mean: Array = rows.mean(axis=0)
    return mean, (rows - mean) / np.sqrt(len(rows) - 1)


def _distance(mean1: Array, trace1: float, mean2: Array, trace2: float, trace_of_root: float) -> float:
    difference = mean1 - mean2
    # equal sets come out at plus or minus rounding
    return max(0.0, float(difference @ difference) + trace1 + trace2 - 2.0 * trace_of_root)


def _float64(features: Features) -> Array:
    return np.asarray(features, dtype=np.float64)
