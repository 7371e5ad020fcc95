"""Fréchet distance of known Gaussians, and that every way to compute it agrees."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.metrics.frechet import Moments, fid, frechet_distance, moments


def draw(count: int, dimensions: int, seed: int) -> np.ndarray:
    """Correlated features with a mean that depends on the seed."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((dimensions, dimensions))
    features: np.ndarray = rng.standard_normal((count, dimensions)) @ mixing + rng.standard_normal(dimensions)
    return features


def test_diagonal_gaussians() -> None:
    """For diagonal covariances it is |m1 - m2|^2 plus the sum of (sqrt(a) - sqrt(b))^2."""
    a, b = np.array([1.0, 4.0, 0.0]), np.array([9.0, 4.0, 2.0])
    found = frechet_distance(np.zeros(3), np.diag(a), np.array([3.0, 0.0, 4.0]), np.diag(b))
    assert found == pytest.approx(25.0 + (1 - 3) ** 2 + 0 + 2.0, rel=1e-12)


def test_closed_form_of_two_dimensions() -> None:
    """In two dimensions the trace of the root is sqrt(tr(M) + 2 sqrt(det M)) of M = cov1 cov2."""
    _, cov1 = moments(draw(20, 2, 1))
    _, cov2 = moments(draw(20, 2, 2))
    product = cov1 @ cov2
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    wanted = np.trace(cov1) + np.trace(cov2) - 2 * root
    assert frechet_distance(np.zeros(2), cov1, np.zeros(2), cov2) == pytest.approx(wanted, rel=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 60), st.integers(2, 60), st.integers(1, 40), st.integers(0, 1000))
def test_both_forms_agree_and_are_symmetric(n_a: int, n_b: int, dimensions: int, seed: int) -> None:
    """Singular values of the product and eigenvalues of the covariances, also with fewer features than dimensions."""
    a, b = draw(n_a, dimensions, seed), draw(n_b, dimensions, seed + 1)
    by_covariance = frechet_distance(*moments(a), *moments(b))
    # a clipped eigenvalue of rounding size enters by its root
    assert fid(a, b) == pytest.approx(by_covariance, rel=1e-6, abs=1e-6)
    assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-6, abs=1e-6)
    assert np.isfinite(by_covariance)
    assert by_covariance >= 0.0


@pytest.mark.parametrize("count", [10, 200])
def test_equal_sets_have_no_distance(count: int) -> None:
    """FID(X, X) = 0 in both forms."""
    features = draw(count, 50, 0)
    assert fid(features, features) == pytest.approx(0.0, abs=1e-5)
    assert frechet_distance(*moments(features), *moments(features)) == pytest.approx(0.0, abs=1e-5)


def test_shift_alone() -> None:
    """Moving every feature by a vector adds that vector's square and nothing else."""
    features, shift = draw(30, 50, 0), np.linspace(-1.0, 1.0, 50)
    assert fid(features, features + shift) == pytest.approx(float(shift @ shift), rel=1e-9)


def test_float32_features_are_computed_in_float64() -> None:
    """A large common offset does not eat the variance, as it does with moments in float32."""
    features = (draw(500, 4, 0) + 3000.0).astype(np.float32)
    mean, cov = moments(features)
    assert mean.dtype == cov.dtype == np.float64
    np.testing.assert_allclose(cov, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) > 1), st.integers(0, 99))
def test_streamed_and_merged_equal_whole(sizes: list[int], seed: int) -> None:
    """Pieces of any size, added one by one or by several workers that are merged, give the moments of the whole."""
    features = draw(sum(sizes), 5, seed)
    pieces = np.split(features, np.cumsum(sizes)[:-1])
    streamed, workers = Moments(5), [Moments(5), Moments(5)]
    for index, piece in enumerate(pieces):
        streamed.update(piece)
        workers[index % 2].update(piece)
    workers[0].merge(workers[1])
    mean, cov = moments(features)
    np.testing.assert_allclose(cov, np.cov(features, rowvar=False), rtol=1e-9, atol=1e-9)
    for found in (streamed, workers[0]):
        assert found.count == len(features)
        np.testing.assert_allclose(found.mean, mean, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.cov, cov, rtol=1e-9, atol=1e-9)


def test_merging_leaves_the_other_alone() -> None:
    """An empty accumulator that takes another one in shares no memory with it."""
    source, target = Moments(2), Moments(2)
    source.update(np.array([[0.0, 1.0], [2.0, 5.0]]))
    before = source.cov
    target.merge(source)
    target.update(np.array([[9.0, 9.0]]))
    np.testing.assert_array_equal(source.cov, before)


def test_cut_of_the_rows_does_not_matter() -> None:
    """Batches of any size, over several blocks, and 1 or 4 workers in any order give the same moments."""
    features = (draw(5000, 6, 0) + 50.0).astype(np.float32)
    whole = Moments(6)
    whole.update(features)
    for size in (1, 7, 64, 1024, 1025, 3000):
        pieces = [features[start : start + size] for start in range(0, len(features), size)]
        streamed, workers = Moments(6), [Moments(6) for _ in range(4)]
        for index, piece in enumerate(pieces):
            streamed.update(piece)
            workers[index % 4].update(piece)
            if index == 2:  # a look in between
                np.testing.assert_allclose(streamed.mean, features[: 3 * size].mean(axis=0, dtype=np.float64))
        merged = Moments(6)
        for worker in reversed(workers):
            merged.merge(worker)
        for found in (streamed, merged):
            assert found.count == 5000
            np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-12)
            np.testing.assert_allclose(found.scatter, whole.scatter, rtol=1e-9, atol=1e-9 * whole.scatter.max())
    np.testing.assert_allclose(whole.cov, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-9)


def test_state_is_plain_and_a_copy(tmp_path: Path) -> None:
    """Saved as .npz without pickle, read back and continued; what is added later leaves neither copy changed."""
    features = draw(1500, 3, 0)
    first = Moments(3)
    first.update(features[:1100])
    state, mean = first.state(), first.mean
    np.savez(tmp_path / "moments.npz", **state)
    first.update(features[1100:])
    for before in (state["mean"], mean):
        np.testing.assert_allclose(before, features[:1100].mean(axis=0), rtol=1e-12)
    with np.load(tmp_path / "moments.npz", allow_pickle=False) as saved:
        second = Moments.from_state(saved)
    second.update(features[1100:])
    assert second.count == first.count == 1500
    np.testing.assert_allclose(second.mean, first.mean, rtol=1e-12)
    np.testing.assert_allclose(second.cov, first.cov, rtol=1e-12)
    restored = Moments.from_state(state)
    restored.update(features)
    np.testing.assert_allclose(state["scatter"], np.cov(features[:1100], rowvar=False) * 1099, rtol=1e-9)


def test_too_few_or_unlike() -> None:
    """One feature has no covariance; different widths cannot be compared."""
    with pytest.raises(ValueError, match="at least 2 features"):
        moments(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="expected"):
        fid(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="expected"):
        fid(np.zeros((5, 3)), np.zeros((5, 4)))
    for unlike in (np.zeros((5, 1)), np.zeros(3)):
        with pytest.raises(ValueError, match="expected"):
            Moments(3).update(unlike)
