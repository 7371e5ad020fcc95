"""Two scores that share images, and their difference: of two generators, or against two sets of real images."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from gan.data.files.array_file import array_file
from gan.errors import InputError
from gan.metrics.estimate import Estimate
from gan.metrics.kid import Features, kernel_between, kernel_with_itself

Array = npt.NDArray[np.float64]
NORMAL_QUANTILE = 1.959964
"""97.5 %."""
_BLOCK_ROWS = 2048
_MOST_BYTES = 2**26
"""Of a file: influences of eight million images on each side."""


@dataclass(frozen=True, eq=False)
class Influences:
    """A score, and what each image has to do with it.

    Where image i gains a little weight, the score changes by its influence over the number of images. Influences are
    known but for a constant, and of the images whose features were kept: a random part of those that the score is of.

    Attributes:
        value: the score.
        generated: [n] float64, in the order of the seeds.
        reference: [m] float64, in the order of the reference's rows.
        num_generated: images that the score is of, n or more.
        num_reference: likewise, m or more.
    """

    value: float
    generated: Array
    reference: Array
    num_generated: int
    num_reference: int

    def write(self, path: Path) -> None:
        """Write them as a file of NumPy's, in float32."""
        np.savez(
            path,
            value=np.asarray(self.value),
            generated=self.generated.astype(np.float32),
            reference=self.reference.astype(np.float32),
            num_generated=np.asarray(self.num_generated),
            num_reference=np.asarray(self.num_reference),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read them; whoever may write to MLflow may have written the file.

        Raises:
            InputError: it is no such file.
        """
        with array_file(path, "influences of images", _MOST_BYTES) as file:
            found = cls(
                value=float(file["value"]),
                generated=file["generated"].astype(np.float64),
                reference=file["reference"].astype(np.float64),
                num_generated=int(file["num_generated"]),
                num_reference=int(file["num_reference"]),
            )
        if not found._sound:
            raise InputError(f"{path} holds influences that no images can have")
        return found

    @property
    def _sound(self) -> bool:
        each = ((self.generated, self.num_generated), (self.reference, self.num_reference))
        return math.isfinite(self.value) and all(
            array.ndim == 1 and 2 <= len(array) <= count and bool(np.isfinite(array).all()) for array, count in each
        )


def paired_difference(a: Influences, b: Influences) -> Estimate:
    """Return the score of `a` minus that of `b`, with a 95 % interval for drawing all images anew.

    Both were scored against the same real images, and their i-th generated images have the same seed and class. What
    both owe to these images cancels: the variance is that of the differences of the influences, image by image, over
    the number of images (infinitesimal jackknife). It is not too small: what the jackknife adds is positive.

    Args:
        a: of the one generator.
        b: of the other, for equally many images.

    Raises:
        ValueError: the two are of different numbers of images.

    Reference: Efron and Stein, The Jackknife Estimate of Variance, 1981.
    """
    if _sizes(a) != _sizes(b):
        raise ValueError(f"scores of {_sizes(a)} and {_sizes(b)} images cannot be paired")
    variance = _variance(a.generated - b.generated) / a.num_generated
    variance += _variance(a.reference - b.reference) / a.num_reference
    return _interval(a.value - b.value, variance)


def generalisation_gap(to_training: Influences, to_holdout: Influences) -> Estimate:
    """Return a generator's score against training images minus that against held out ones, with a 95 % interval.

    Below 0 it is nearer to images that it was trained on than to images of the same distribution that it never saw:
    it has learnt them by heart. Where it has not, the gap is 0 in the mean, if the score has no bias or both are of
    equally many real images. The generated images are the same in both, and what they add to both cancels: the variance
    is that of the differences of their influences, and of the two sets of real images, which share none, beside it.

    FID sees it, and KID hardly: a copy of an image changes the means of KID's kernel by one part in the number of
    images, but covariances of few images are those of just these images.

    Args:
        to_training: of the score against training images.
        to_holdout: of the score of the same generated images against held out ones.

    Raises:
        ValueError: the two are of different numbers of generated images.

    Reference: Efron and Stein, The Jackknife Estimate of Variance, 1981, for why the interval is not too narrow.
    """
    if _sizes(to_training)[::2] != _sizes(to_holdout)[::2]:
        raise ValueError(
            f"scores of {to_training.num_generated} and {to_holdout.num_generated} generated images have no gap"
        )
    variance = _variance(to_training.generated - to_holdout.generated) / to_training.num_generated
    variance += sum(_variance(each.reference) / each.num_reference for each in (to_training, to_holdout))
    return _interval(to_training.value - to_holdout.value, variance)


def kid_influences(features_a: Features, features_b: Features) -> Influences:
    """Return the unbiased squared MMD of all images with KID's kernel, and each image's influence on it.

    An image x of the first set has the influence 2 (mean k(x, a) - mean k(x, b)), over all a but itself and all b.

    Args:
        features_a: [N_a, D] of any float dtype, N_a from 2 up; products are taken in that dtype, sums in float64.
        features_b: [N_b, D] likewise.

    Raises:
        ValueError: a set has fewer than 2 features, or the two differ in D.

    Reference: Gretton et al., A Kernel Two-Sample Test, 2012, lemma 6; Binkowski et al., Demystifying MMD GANs, 2018,
    for the kernel (x.y / D + 1)^3.
    """
    if features_a.shape[1:] != features_b.shape[1:] or min(len(features_a), len(features_b)) < 2:
        raise ValueError(f"features are {features_a.shape} and {features_b.shape}, expected [N, D] with N from 2 up")
    within_a, within_b = _means_within(features_a), _means_within(features_b)
    rows, columns = _sums_between(features_a, features_b)
    from_b, from_a = rows / len(features_b), columns / len(features_a)
    return Influences(
        value=float(within_a.mean() + within_b.mean() - 2.0 * from_b.mean()),
        generated=2.0 * (within_a - from_b),
        reference=2.0 * (within_b - from_a),
        num_generated=len(features_a),
        num_reference=len(features_b),
    )


def _means_within(features: Features) -> Array:
    between, _ = _sums_between(features, features)
    result: Array = (between - kernel_with_itself(features)) / (len(features) - 1)
    return result


def _sums_between(a: Features, b: Features) -> tuple[Array, Array]:
    rows, columns = np.zeros(len(a)), np.zeros(len(b))
    for i in range(0, len(a), _BLOCK_ROWS):
        for j in range(0, len(b), _BLOCK_ROWS):
            kernel = kernel_between(a[i : i + _BLOCK_ROWS], b[j : j + _BLOCK_ROWS])
            rows[i : i + _BLOCK_ROWS] += kernel.sum(axis=1)
            columns[j : j + _BLOCK_ROWS] += kernel.sum(axis=0)
    return rows, columns


def _sizes(scored: Influences) -> tuple[int, int, int, int]:
    return len(scored.generated), len(scored.reference), scored.num_generated, scored.num_reference


def _interval(value: float, variance: float) -> Estimate:
    half = NORMAL_QUANTILE * math.sqrt(variance)
    return Estimate(value=value, low=value - half, high=value + half)


def _variance(values: Array) -> float:
    return float(values.var(ddof=1))
