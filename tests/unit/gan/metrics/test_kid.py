"""KID against the estimator written out, and its error bar against repeated drawing."""

import numpy as np
import pytest

from gan.metrics.kid import kid, kid_per_class


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


def test_honest_error() -> None:
    """Over fresh draws the score of equal distributions averages to 0, and the error bar is the spread that is seen."""
    equal = [kid(draw(40, 2 * i), draw(40, 2 * i + 1), subsets=30) for i in range(200)]
    seen = np.std([each.mean for each in equal])
    assert abs(np.mean([each.mean for each in equal])) < 3 * seen / np.sqrt(200)
    # where both are of one distribution subsets spread more than they should: too wide, never too narrow
    assert 1.0 < np.mean([each.standard_error for each in equal]) / seen < 2.5
    assert np.mean([abs(each.mean) < 1.96 * each.standard_error for each in equal]) > 0.95
    for size in (1000, 20, 30):
        results = [kid(draw(40, 2 * i), draw(40, 2 * i + 1, 0.7), subsets=30, subset_size=size) for i in range(200)]
        seen = np.std([result.mean for result in results])
        assert 0.75 < np.mean([result.standard_error for result in results]) / seen < 1.5


def test_sets_larger_than_a_block() -> None:
    """Kernels are taken in blocks, those within a set by half: the same as all at once, also beyond one block."""
    a, b = draw(2500, 0), draw(4200, 1, 0.5)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        cubes: np.ndarray = (x @ y.T / 8 + 1.0) ** 3
        return cubes

    within = sum((kernel(x, x).sum() - np.diag(kernel(x, x)).sum()) / (len(x) * (len(x) - 1)) for x in (a, b))
    result = kid(a, b, subset_size=2500, subsets=4)
    assert result.mean == pytest.approx(within - 2 * kernel(a, b).mean(), rel=1e-9)
    rng = np.random.default_rng(0)
    picks = [(rng.permutation(2500)[:1250], rng.permutation(4200)[:1250]) for _ in range(4)]
    estimates = [kid(a[i], b[j], subsets=2, subset_size=1250).mean for i, j in picks]
    assert result.std == pytest.approx(np.std(estimates, ddof=1), rel=1e-9)


def test_per_class() -> None:
    """Each class as if it were alone; without a label, or with too few on a side, it is left out."""
    a, b = draw(60, 0), draw(50, 1, 0.5)
    labels_a = np.repeat(np.array([7, 2, -1, 5, 9]), [20, 25, 5, 3, 7])
    labels_b = np.repeat(np.array([2, 7, -1, 5, 8]), [10, 20, 5, 8, 7])
    results = kid_per_class(a, labels_a, b, labels_b, subsets=10, subset_size=8, seed=1)
    assert list(results) == [2, 7]
    for label, found in results.items():
        assert found == kid(a[labels_a == label], b[labels_b == label], subsets=10, subset_size=8, seed=1)
    assert kid_per_class(a, np.full(60, -1), b, np.full(50, -1)) == {}
    with pytest.raises(ValueError, match="59 and 50 labels for 60 and 50 features"):
        kid_per_class(a, labels_a[:59], b, labels_b)


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
