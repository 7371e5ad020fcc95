"""FID and KID as other programs define them, in their own form, on the same features: the same numbers."""

import numpy as np
import pytest
from scipy import linalg

from gan.metrics.fid_interval import fid_estimate
from gan.metrics.frechet import Moments, fid, frechet_distance
from gan.metrics.kid import kid

pytestmark = pytest.mark.integration


def draw(count: int, dimensions: int, seed: int, shift: float) -> np.ndarray:
    """Features like Inception's: never negative, mostly small, correlated, float32."""
    mixing = np.random.default_rng(0).standard_normal((dimensions, dimensions)) / np.sqrt(dimensions)
    features = np.random.default_rng(seed).standard_normal((count, dimensions)) * np.arange(1, dimensions + 1) ** -0.3
    rectified: np.ndarray = np.maximum(features @ mixing + shift, 0.0).astype(np.float32)
    return rectified


def fid_of_pytorch_fid(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """pytorch-fid 0.3.0, `calculate_frechet_distance`, and clean-fid 0.1.35, `frechet_distance`."""
    mu1, sigma1 = np.mean(features_a, axis=0), np.cov(features_a, rowvar=False)
    mu2, sigma2 = np.mean(features_b, axis=0), np.cov(features_b, rowvar=False)
    diff = mu1 - mu2
    covmean = linalg.sqrtm(sigma1.dot(sigma2))
    assert np.isfinite(covmean).all()
    tr_covmean = np.trace(covmean.real)
    return float(diff.dot(diff) + np.trace(sigma1) + np.trace(sigma2) - 2 * tr_covmean)


def fid_of_torch_fidelity(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """torch-fidelity 0.4.0, `fid_statistics_to_metric`."""
    mu1, sigma1 = np.mean(features_a, axis=0), np.cov(features_a, rowvar=False)
    mu2, sigma2 = np.mean(features_b, axis=0), np.cov(features_b, rowvar=False)
    diff = mu1 - mu2
    tr_covmean = np.sum(np.sqrt(np.linalg.eigvals(sigma1.dot(sigma2)).astype("complex128")).real)
    return float(diff.dot(diff) + np.trace(sigma1) + np.trace(sigma2) - 2 * tr_covmean)


@pytest.mark.parametrize("formula", [fid_of_pytorch_fid, fid_of_torch_fidelity])
@pytest.mark.parametrize(("count", "dimensions"), [(2100, 64), (2500, 512)])
def test_fid(formula, count: int, dimensions: int) -> None:
    """Every way to compute ours: at once, with its interval, and from moments that arrived in batches."""
    a, b = draw(count, dimensions, 1, 0.0), draw(count + 100, dimensions, 2, 0.05)
    theirs = formula(a.astype(np.float64), b.astype(np.float64))
    streamed = [Moments(dimensions), Moments(dimensions)]
    for moments, features in zip(streamed, (a, b), strict=True):
        for start in range(0, len(features), 50):
            moments.update(features[start : start + 50])
    assert fid(a, b) == pytest.approx(theirs, rel=1e-6)
    assert fid_estimate(a, b).value == pytest.approx(theirs, rel=1e-6)
    assert frechet_distance(streamed[0].mean, streamed[0].cov, streamed[1].mean, streamed[1].cov) == pytest.approx(
        theirs, rel=1e-6
    )


@pytest.mark.slow
def test_fid_of_inceptions_width() -> None:
    """2,048 dimensions, hardly more images than that."""
    a, b = draw(2100, 2048, 1, 0.0), draw(2100, 2048, 2, 0.05)
    theirs = fid_of_torch_fidelity(a.astype(np.float64), b.astype(np.float64))
    assert fid(a, b) == pytest.approx(theirs, rel=1e-6)


def kid_of_torch_fidelity(
    features_1: np.ndarray, features_2: np.ndarray, kid_subsets: int, kid_subset_size: int, rng_seed: int
) -> tuple[float, float]:
    """torch-fidelity 0.4.0, `kid_features_to_metric`, `kernel_poly` and `mmd2`."""
    mmds = np.zeros(kid_subsets)
    rng = np.random.RandomState(rng_seed)
    for i in range(kid_subsets):
        x = features_1[rng.choice(len(features_1), kid_subset_size, replace=False)]
        y = features_2[rng.choice(len(features_2), kid_subset_size, replace=False)]
        gamma, m = 1.0 / x.shape[1], kid_subset_size
        k_11, k_22, k_12 = ((np.matmul(u, v.T) * gamma + 1) ** 3 for u, v in ((x, x), (y, y), (x, y)))
        kt_xx_sum = (k_11.sum(axis=1) - np.diagonal(k_11)).sum()
        kt_yy_sum = (k_22.sum(axis=1) - np.diagonal(k_22)).sum()
        mmds[i] = (kt_xx_sum + kt_yy_sum) / (m * (m - 1)) - 2 * k_12.sum() / (m * m)
    return float(np.mean(mmds)), float(np.std(mmds))


def test_kid_of_torch_fidelity() -> None:
    """Its subsets, our estimator: the mean and the deviation over them are equal."""
    a, b = draw(900, 256, 1, 0.0), draw(1100, 256, 2, 0.05)
    theirs = kid_of_torch_fidelity(a.astype(np.float64), b.astype(np.float64), 10, 400, 2020)
    rng = np.random.RandomState(2020)
    ours = []
    for _ in range(10):
        i, j = rng.choice(900, 400, replace=False), rng.choice(1100, 400, replace=False)
        ours.append(kid(a[i].astype(np.float64), b[j].astype(np.float64), subsets=2).mean)
    assert np.mean(ours) == pytest.approx(theirs[0], rel=1e-6)
    assert np.std(ours) == pytest.approx(theirs[1], rel=1e-6)


def kid_of_clean_fid(feats1: np.ndarray, feats2: np.ndarray, num_subsets: int, max_subset_size: int) -> float:
    """clean-fid 0.1.35, `kernel_distance`; it draws from numpy's global generator."""
    n = feats1.shape[1]
    m = min(min(feats1.shape[0], feats2.shape[0]), max_subset_size)
    t = 0
    for _subset_idx in range(num_subsets):
        x = feats2[np.random.choice(feats2.shape[0], m, replace=False)]
        y = feats1[np.random.choice(feats1.shape[0], m, replace=False)]
        a = (x @ x.T / n + 1) ** 3 + (y @ y.T / n + 1) ** 3
        b = (x @ y.T / n + 1) ** 3
        t += (a.sum() - np.diag(a).sum()) / (m - 1) - b.sum() * 2 / m
    return float(t / num_subsets / m)


def test_kid_of_clean_fid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its subsets, our estimator; where a subset is a whole set, ours on everything needs no subsets at all."""
    a, b = draw(900, 256, 1, 0.0).astype(np.float64), draw(1100, 256, 2, 0.05).astype(np.float64)
    monkeypatch.setattr(np.random, "choice", np.random.RandomState(0).choice)
    theirs = kid_of_clean_fid(a, b, 10, 400)
    monkeypatch.setattr(np.random, "choice", np.random.RandomState(0).choice)
    ours = []
    for _ in range(10):
        j, i = np.random.choice(1100, 400, replace=False), np.random.choice(900, 400, replace=False)
        ours.append(kid(a[i], b[j], subsets=2).mean)
    assert np.mean(ours) == pytest.approx(theirs, rel=1e-6)
    assert kid(a, b[:900]).mean == pytest.approx(kid_of_clean_fid(a, b[:900], 1, 1000), rel=1e-6)
