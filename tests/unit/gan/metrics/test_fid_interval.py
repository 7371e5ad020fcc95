"""FID's interval: its value is FID, its parts are direct derivatives, and it holds what it claims to hold."""

import numpy as np
import pytest

from gan.metrics.estimate import Estimate
from gan.metrics.fid_interval import fid_estimate
from gan.metrics.frechet import Moments, fid, frechet_distance


def draw(count: int, dimensions: int, rng: np.random.Generator, distance: float = 0.0) -> np.ndarray:
    """Features with a falling spectrum, shifted and stretched by `distance`."""
    spectrum = np.arange(1, dimensions + 1) ** -0.5 * (1 + 0.5 * distance * np.sin(np.arange(dimensions)))
    features: np.ndarray = rng.standard_normal((count, dimensions)) * spectrum + 0.1 * distance
    return features


def moments(features: np.ndarray) -> Moments:
    """Moments of all features."""
    result = Moments(features.shape[1])
    result.update(features)
    return result


def log_width(estimate: Estimate) -> float:
    """Half the width on the logarithm, where the interval is symmetric: about 1.96 standard errors over FID."""
    return float(np.log(estimate.high / estimate.low) / 2)


SIZES = [(20, 30, 40), (30, 80, 40), (80, 30, 40), (100, 90, 40)]


@pytest.mark.parametrize(("n_a", "n_b", "dimensions"), SIZES)
def test_value_is_fid(n_a: int, n_b: int, dimensions: int) -> None:
    """Below, above and across the number of dimensions, in float32 and float64."""
    rng = np.random.default_rng(0)
    a, b = draw(n_a, dimensions, rng), draw(n_b, dimensions, rng, 1.0)
    for dtype in (np.float64, np.float32):
        found = fid_estimate(a.astype(dtype), b.astype(dtype))
        assert found.value == pytest.approx(fid(a.astype(dtype), b.astype(dtype)), rel=1e-6)
        assert 0.0 < found.low < found.value < found.high


@pytest.mark.parametrize(("n_a", "n_b", "dimensions"), SIZES)
def test_both_forms_agree(n_a: int, n_b: int, dimensions: int) -> None:
    """Singular values of the products and eigenvalues of the covariances give one interval, whichever set is first."""
    rng = np.random.default_rng(0)
    a, b = draw(n_a, dimensions, rng), draw(n_b, dimensions, rng, 1.0)
    plain = fid_estimate(a, b)
    for other in (fid_estimate(a, b, moments_a=moments(a), moments_b=moments(b)), fid_estimate(b, a)):
        assert [other.value, other.low, other.high] == pytest.approx([plain.value, plain.low, plain.high], rel=1e-5)


@pytest.mark.parametrize(("n_a", "n_b", "dimensions"), [(150, 120, 4), (60, 50, 70)])
def test_standard_error_is_that_of_the_jackknife(n_a: int, n_b: int, dimensions: int) -> None:
    """The interval comes from the derivative by an image's weight, here taken by leaving nearly none of it out."""
    rng = np.random.default_rng(0)
    a, b = draw(n_a, dimensions, rng), draw(n_b, dimensions, rng, 2.0)

    def weighted(features: np.ndarray, index: int, extra: float) -> tuple[np.ndarray, np.ndarray]:
        weights = np.full(len(features), 1.0 - extra) / len(features)
        weights[index] += extra
        mean = weights @ features
        centred = features - mean
        return mean, (centred.T * weights) @ centred * len(features) / (len(features) - 1)

    variance, step = 0.0, 1e-4
    for index in range(n_a):
        there, back = (frechet_distance(*weighted(a, index, e), *weighted(b, 0, 0.0)) for e in (step, -step))
        variance += ((there - back) / (2 * step) / n_a) ** 2
    for index in range(n_b):
        there, back = (frechet_distance(*weighted(a, 0, 0.0), *weighted(b, index, e)) for e in (step, -step))
        variance += ((there - back) / (2 * step) / n_b) ** 2
    found = fid_estimate(a, b)
    # Student's quantile is 1.97 to 2.02 at this many images, and N - 1 stands for N
    assert log_width(found) == pytest.approx(2.0 * np.sqrt(variance) / found.value, rel=0.025)


@pytest.mark.parametrize(
    ("n_a", "n_b", "distance", "widest"),
    [(64, 64, 0.0, 2.2), (64, 64, 3.0, 1.4), (12, 12, 0.0, 2.2), (12, 12, 3.0, 1.6), (300, 40, 3.0, 1.4)],
)
def test_interval_is_honest(n_a: int, n_b: int, distance: float, widest: float) -> None:
    """Over fresh drawings it holds the mean of FID at least 9 times of 10, and is no wider than said."""
    rng = np.random.default_rng(0)
    found = [fid_estimate(draw(n_a, 24, rng), draw(n_b, 24, rng, distance)) for _ in range(300)]
    values = np.array([each.value for each in found])
    held = np.mean([each.low <= values.mean() <= each.high for each in found])
    assert held > 0.92
    # unlike the share above, this would not let an interval pass that is a third too narrow
    width = np.mean([log_width(each) * each.value for each in found]) / (1.96 * values.std(ddof=1))
    assert 0.95 < width < widest


def test_kept_part_speaks_for_all() -> None:
    """With the moments of all features and a part of them kept, the interval is about that of keeping all."""
    rng = np.random.default_rng(0)
    a, b = draw(4000, 16, rng), draw(3000, 16, rng, 1.0)
    whole = fid_estimate(a, b)
    part = fid_estimate(a[:1000], b[:500], moments_a=moments(a), moments_b=moments(b))
    assert part.value == pytest.approx(whole.value, rel=1e-9)
    assert log_width(part) == pytest.approx(log_width(whole), rel=0.15)
    mixed = fid_estimate(a[:1000], b, moments_a=moments(a))
    assert mixed.value == pytest.approx(whole.value, rel=1e-9)
    assert log_width(mixed) == pytest.approx(log_width(whole), rel=0.15)


def test_heavy_tails_widen_it() -> None:
    """One image far out makes the error uncertain, which few degrees of freedom then show."""
    rng = np.random.default_rng(0)
    a, b = draw(40, 4, rng), draw(40, 4, rng, 1.0)
    a[0] *= 30.0
    found = fid_estimate(a, b)
    assert found.high > 11.0 * found.value  # 8 with the quantile of a normal variance


def test_equal_and_constant_sets() -> None:
    """No distance, and no variance, give finite intervals that begin at the value or at 0."""
    rng = np.random.default_rng(0)
    for count in (10, 60):
        features = draw(count, 30, rng)
        found = fid_estimate(features, features)
        assert 0.0 <= found.low <= found.value <= found.high < 1e-3
    for count in (2, 9):
        found = fid_estimate(np.zeros((count, 4)), np.ones((count, 4)))
        assert (found.value, found.low, found.high) == (4.0, 4.0, 4.0)


def test_few_images_in_one_dimension() -> None:
    """Two images a side, and sets that coincide by chance, stay finite."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        found = fid_estimate(rng.standard_normal((2, 1)), rng.standard_normal((2, 1)))
        assert 0.0 <= found.low <= found.value <= found.high < np.inf


def test_unfit() -> None:
    """Widths that differ, a single image, and moments that cannot be of these features."""
    rng = np.random.default_rng(0)
    a = draw(10, 4, rng)
    with pytest.raises(ValueError, match="expected"):
        fid_estimate(a, a[:, :3])
    with pytest.raises(ValueError, match="expected"):
        fid_estimate(a[:1], a)
    with pytest.raises(ValueError, match="moments are of 5 features"):
        fid_estimate(a, a, moments_b=moments(a[:5]))
