"""KID against the estimator written out, and its error bar against repeated drawing."""

import numpy as np
import pytest

from gan.metrics.kid import kid


def draw(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Features like Inception's: never negative."""
    return np.abs(np.random.default_rng(seed).standard_normal((count, 8)) + shift)


def squared_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Equation 4 of Binkowski et al. 2018, written as loops."""

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / len(x) + 1.0) ** 3)

    within_a = sum(kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j)
    within_b = sum(kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j)
    between = sum(kernel(x, y) for x in a for y in b)
    n, m = len(a), len(b)
    return within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * between / (n * m)


def test_all_images_at_once() -> None:
    """Where subsets would be the whole set, the score is the estimate on everything, also with unequal sets."""
    a, b = draw(20, 0), draw(31, 1, 0.5)
    result = kid(a, b)
    assert result.mean == pytest.approx(squared_mmd(a, b), rel=1e-9)
    assert (result.subset_size, result.interval_subset_size, result.subsets) == (20, 10, 100)
    assert result.standard_error == pytest.approx(result.std, rel=1e-12)


@pytest.mark.parametrize("count", [30, 3000])
def test_mean_over_subsets(count: int) -> None:
    """With few images one kernel matrix serves all subsets, with many each has its own: both are the plain mean."""
    a, b = draw(count, 0), draw(count, 1, 0.5)
    result = kid(a, b, subsets=7, subset_size=12, seed=3)
    rng = np.random.default_rng(3)
    picks = [(rng.permutation(count)[:12], rng.permutation(count)[:12]) for _ in range(7)]
    estimates = [squared_mmd(a[i], b[j]) for i, j in picks]
    assert result.mean == pytest.approx(np.mean(estimates), rel=1e-9)
    assert result.std == pytest.approx(np.std(estimates, ddof=1), rel=1e-9)
    assert result.subset_size == result.interval_subset_size == 12


def test_deterministic_and_symmetric() -> None:
    """One seed, one result; the order of equally large sets moves only which subsets are drawn."""
    a, b = draw(50, 0), draw(50, 1, 0.5)
    assert kid(a, b, subset_size=20) == kid(a, b, subset_size=20)
    assert kid(a, b, subset_size=20) != kid(a, b, subset_size=20, seed=1)
    assert kid(a, b).mean == pytest.approx(kid(b, a).mean, rel=1e-12)


def test_float32_is_close_to_float64() -> None:
    """Products in float32 move the score by far less than its error."""
    a, b = draw(200, 0).astype(np.float32), draw(200, 1).astype(np.float32)
    single, double = kid(a, b), kid(a.astype(np.float64), b.astype(np.float64))
    assert abs(single.mean - double.mean) < 1e-3 * double.standard_error


def test_unbiased_and_honest_error() -> None:
    """Over fresh draws the score of equal distributions averages to 0, and the error bar is the spread that is seen."""
    equal = [kid(draw(40, 2 * i), draw(40, 2 * i + 1), subsets=30).mean for i in range(200)]
    assert abs(np.mean(equal)) < 3 * np.std(equal) / np.sqrt(200)
    for size in (1000, 20, 30):
        results = [kid(draw(40, 2 * i), draw(40, 2 * i + 1, 0.7), subsets=30, subset_size=size) for i in range(200)]
        seen = np.std([result.mean for result in results])
        assert 0.75 < np.mean([result.standard_error for result in results]) / seen < 1.5


def test_farther_is_larger() -> None:
    """A larger shift of the features gives a larger score."""
    scores = [kid(draw(500, 0), draw(500, 1, shift)).mean for shift in (0.0, 0.5, 1.0)]
    assert scores == sorted(scores)


def test_too_little() -> None:
    """Sets and subsets below the smallest that work are refused."""
    with pytest.raises(ValueError, match="N from 4 up"):
        kid(draw(3, 0), draw(10, 1))
    with pytest.raises(ValueError, match="at least 2"):
        kid(draw(10, 0), draw(10, 1), subset_size=1)
    with pytest.raises(ValueError, match="expected"):
        kid(draw(10, 0), draw(10, 1)[:, :4])
