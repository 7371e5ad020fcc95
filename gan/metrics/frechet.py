"""Fréchet distance between two sets of features, in float64 and without a matrix square root."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]
_BLOCK_ROWS = 1024


class Moments:
    """Mean and covariance of features that arrive in pieces; pieces of several workers are merged without loss.

    Rows wait in a block until it is full, so that many small pieces cost as much as one large one. Memory is
    8 D (D + 1024) bytes, however many features are seen.

    Reference: Chan et al., Algorithms for Computing the Sample Variance, 1983, equations 2.1.
    """

    def __init__(self, dimensions: int) -> None:
        self._count = 0  # rows that `_mean` and `_scatter` hold; `_waiting` more are in the block
        self._mean: Array = np.zeros(dimensions)
        self._scatter: Array = np.zeros((dimensions, dimensions))
        self._block: Array = np.empty((_BLOCK_ROWS + 1, dimensions))
        self._waiting = 0

    def update(self, features: Features) -> None:
        """Add features [n, D] of any float dtype, n from 0 up.

        Raises:
            ValueError: the features have another width.
        """
        if features.ndim != 2 or features.shape[1] != len(self._mean):
            raise ValueError(f"features are {features.shape}, expected [n, {len(self._mean)}]")
        start = 0
        while start < len(features):
            piece = features[start : start + _BLOCK_ROWS - self._waiting]
            self._block[self._waiting : self._waiting + len(piece)] = piece
            self._waiting += len(piece)
            start += len(piece)
            if self._waiting == _BLOCK_ROWS:
                self._fold()

    def merge(self, other: "Moments") -> None:
        """Add everything that another accumulator of the same width has seen; the other one stays as it is."""
        self._fold()
        other._fold()
        if other._count == 0:
            return
        total = self._count + other._count
        difference = other._mean - self._mean
        self._scatter += other._scatter
        self._scatter += np.outer(difference * (self._count * other._count / total), difference)
        self._mean += difference * (other._count / total)
        self._count = total

    def _fold(self) -> None:
        if self._waiting == 0:
            return
        total = self._count + self._waiting
        rows = self._block[: self._waiting + 1]
        mean = rows[:-1].mean(axis=0)
        rows[:-1] -= mean
        difference = mean - self._mean
        # as one row more, the shift between the means costs no [D, D] product of its own
        rows[-1] = difference * np.sqrt(self._count * self._waiting / total)
        self._scatter += rows.T @ rows
        self._mean += difference * (self._waiting / total)
        self._count, self._waiting = total, 0

    @property
    def count(self) -> int:
        """How many features were seen."""
        return self._count + self._waiting

    @property
    def mean(self) -> Array:
        """Mean [D] float64; zeros where nothing was seen."""
        self._fold()
        return self._mean.copy()

    @property
    def scatter(self) -> Array:
        """Sum of the outer products [D, D] float64 of the features less their mean."""
        self._fold()
        return self._scatter.copy()

    @property
    def cov(self) -> Array:
        """Covariance [D, D] float64, divided by N - 1.

        Raises:
            ValueError: fewer than 2 features were seen.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least 2 features, but there are {self.count}")
        self._fold()
        return self._scatter / (self._count - 1)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return copies of everything that was seen as plain arrays, for `np.savez` or another process.

        Returns:
            count [] int64, mean [D] float64 and scatter [D, D] float64.
        """
        return {"count": np.array(self.count, dtype=np.int64), "mean": self.mean, "scatter": self.scatter}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> "Moments":
        """Return the accumulator that `state` described; it shares no memory with the arrays."""
        result = cls(len(state["mean"]))
        result._count = int(state["count"])
        result._mean[:] = state["mean"]
        result._scatter[:] = state["scatter"]
        return result


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
    root_trace = float(np.sqrt(squared).sum())
    return distance_of_traces(mean1, float(np.trace(cov1)), mean2, float(np.trace(cov2)), root_trace)


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
    mean_a, a = centre(features_a)
    mean_b, b = centre(features_b)
    trace_of_root = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    return distance_of_traces(mean_a, float((a * a).sum()), mean_b, float((b * b).sum()), trace_of_root)


def centre(features: Features) -> tuple[Array, Array]:
    """Return mean [D] and root [N, D] of the covariance, root.T @ root, both float64; features are [N, D], N from 2."""
    rows = np.asarray(features, dtype=np.float64)
    mean: Array = rows.mean(axis=0)
    return mean, (rows - mean) / np.sqrt(len(rows) - 1)


def distance_of_traces(mean1: Array, trace1: float, mean2: Array, trace2: float, trace_of_root: float) -> float:
    """Return |mean1 - mean2|^2 + trace1 + trace2 - 2 trace_of_root, and 0 where rounding takes it below."""
    difference = mean1 - mean2
    return max(0.0, float(difference @ difference) + trace1 + trace2 - 2.0 * trace_of_root)
