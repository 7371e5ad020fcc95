"""Realism by the paper's equation, and a threshold that real images set."""

import numpy as np
import pytest

from gan.release.realism import UNREALISTIC, RealismLook, RealManifold, realism_threshold

RNG = np.random.default_rng(0)


def test_realism_is_that_of_a_loop():
    real, drawn = RNG.standard_normal((60, 4)) + 5, RNG.standard_normal((20, 4)) + 5
    apart = np.linalg.norm(real[:, None] - real[None], axis=2)
    radii = np.sort(apart, axis=1)[:, 3]
    kept = radii <= np.median(radii)
    expected = [(radii[kept] / np.linalg.norm(real[kept] - each, axis=1)).max() for each in drawn]
    manifold = RealManifold.of(real.astype(np.float32), k=3)
    assert len(manifold.radii) == 30
    assert manifold.realism(drawn) == pytest.approx(expected, rel=1e-5)


def test_a_copy_is_as_real_as_can_be():
    real = RNG.standard_normal((40, 8))
    manifold = RealManifold.of(real)
    assert (manifold.realism(manifold.centres + manifold.mean) > 1e6).all()


def test_the_threshold_rejects_so_many_real_images_and_noise():
    real, held, other = (RNG.standard_normal((count, 6)) for count in (500, 500, 2000))
    threshold = realism_threshold(real, held, 0.05)
    look = RealismLook(RealManifold.of(real), threshold, lambda images: images.reshape(len(images), -1) / 10.0)
    assert look.reasons == (UNREALISTIC,)
    assert look(other * 10.0, np.zeros(2000, np.int64)).mean() == pytest.approx(0.05, abs=0.02)
    assert look(50 + other * 10.0, np.zeros(2000, np.int64)).mean() > 0.95


def test_wrong_input():
    real = RNG.standard_normal((30, 3))
    with pytest.raises(ValueError, match="expected"):
        RealManifold.of(real).realism(real[:, :2])
    with pytest.raises(ValueError, match="k = 30"):
        RealManifold.of(real, k=30)
    for held, share in ((real, 0.0), (real, 0.6), (real, 0.01)):
        with pytest.raises(ValueError, match="share"):
            realism_threshold(real, held, share)
