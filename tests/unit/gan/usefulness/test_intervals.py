"""Intervals against published forms and against repeated experiments."""

import math

import numpy as np
import pytest

from gan.usefulness.intervals import difference_estimate, share_estimate


def test_agresti_and_coull() -> None:
    """Where seeds agree on every image, the interval is that of Agresti and Coull for the holdout."""
    correct = np.repeat([[1] * 900 + [0] * 100], 3, axis=0)
    estimate = share_estimate(correct)
    centre = 902 / 1004
    half_width = 1.96 * math.sqrt(centre * (1 - centre) / 1004)
    assert estimate.value == pytest.approx(0.9)
    assert (estimate.low, estimate.high) == pytest.approx((centre - half_width, centre + half_width), rel=1e-3)


def test_student_over_seeds() -> None:
    """Where only seeds differ and images are countless, it is Student's interval over the seeds: 4.303 for three."""
    accuracies = np.array([0.5, 0.6, 0.7])
    estimate = share_estimate(np.repeat(accuracies[:, None], 10**6, axis=1))
    half_width = 4.303 * 0.1 / math.sqrt(3)
    assert (estimate.low, estimate.high) == pytest.approx((0.6 - half_width, 0.6 + half_width), rel=1e-3)


def test_never_certain() -> None:
    """All right, or never a difference, still leaves a width, which more images narrow; bounds are kept."""
    for count in (1, 10, 1000):
        perfect, equal = share_estimate(np.ones((3, count))), difference_estimate(np.zeros((3, count)))
        assert perfect.low < perfect.value == perfect.high == 1.0
        assert -1.0 <= equal.low < equal.value == 0.0 < equal.high <= 1.0
    assert perfect.low > 0.99
    assert equal.high < 0.01


def test_pairs_cancel() -> None:
    """Differences on the same images are known better than two accuracies are."""
    rng = np.random.default_rng(0)
    first = np.repeat(rng.random((1, 500)) < 0.5, 3, axis=0).astype(float)
    second = first.copy()
    second[:, :10] = 1 - second[:, :10]
    alone, paired = share_estimate(first), difference_estimate(first - second)
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)


@pytest.mark.parametrize(("skill_spread", "images"), [(0.05, 200), (0.3, 500)])
def test_coverage(skill_spread: float, images: int) -> None:
    """Over fresh seeds and images of unequal difficulty, the interval holds the truth as often as it says."""
    rng = np.random.default_rng(0)

    def correct(difficulty: np.ndarray) -> np.ndarray:
        skill = rng.normal(0.0, skill_spread, (3, 1))
        return rng.random((3, len(difficulty))) < 1 / (1 + np.exp(difficulty - skill))

    held = 0
    for _ in range(500):
        estimate = share_estimate(correct(rng.normal(0.0, 2.0, images)))
        held += estimate.low <= 0.5 <= estimate.high
    assert 0.91 < held / 500 < 0.995


def test_too_little() -> None:
    """One training, or no image, gives no interval."""
    for shape in ((1, 5), (3, 0)):
        with pytest.raises(ValueError, match="S from 2"):
            share_estimate(np.ones(shape))
