"""Realism by the paper's equation, and a look whose verdicts depend on each image alone."""

import numpy as np
import pytest
import torch

from gan.metrics.features import FeatureExtractor
from gan.metrics.network import FeatureNetwork, inception
from gan.metrics.weights import find_inception_weights
from gan.release.realism import UNREALISTIC, RealismLook, RealManifold

RNG = np.random.default_rng(0)


def extractor_of(run, batch_size):
    network = FeatureNetwork("n", "s", "fp32", torch.device("cpu"), 8, run)
    return FeatureExtractor(network, resize="torch", batch_size=batch_size)


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


def test_images_below_the_threshold_are_rejected_and_noise_is(digits):
    images, _ = digits
    look_at = extractor_of(lambda pixels: pixels.mean(dim=1).flatten(1) / 255.0, 7)
    manifold = RealManifold.of(look_at.extract([images[:800]]))
    realism = manifold.realism(look_at.extract([images[800:1000]]))
    look, labels = RealismLook(manifold, float(np.median(realism)), look_at), np.zeros(200, np.int64)
    assert look.reasons == (UNREALISTIC,)
    assert np.array_equal(look(images[800:1000], labels), realism < np.median(realism))
    assert look(RNG.integers(0, 256, (200, 16, 16, 1), np.uint8), labels).all()
    assert not RealismLook(manifold, 0.0, look_at)(images[800:1000], labels).any()


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_batches_have_one_size_whatever_is_looked_at(count):
    sizes = []

    def run(pixels):
        sizes.append(len(pixels))
        return pixels.flatten(1)[:, :6]

    images = RNG.integers(0, 256, (40, 8, 8, 3), np.uint8)
    manifold = RealManifold.of(extractor_of(run, 40).extract([images]))
    sizes.clear()
    look = RealismLook(manifold, 1.0, extractor_of(run, 4))
    assert look(images[:count], np.zeros(count, np.int64)).shape == (count,)
    assert sizes == [4] * -(-count // 4)


class Recording(RealManifold):
    """Keeps what realism it found."""

    def realism(self, features):
        found = super().realism(features)
        self.found.append(found)
        return found


def test_with_the_real_network_an_image_has_the_same_realism_to_the_bit_whatever_it_is_looked_at_with(digits, tmp_path):
    images, _ = digits
    network = inception(find_inception_weights(None, tmp_path), precision="fp32")
    extractor = FeatureExtractor(network, resize="tf1", batch_size=1)
    made = RealManifold.of(FeatureExtractor(network, resize="tf1", batch_size=8).extract([images[:16]]))
    manifold = Recording(made.centres, made.radii, made.mean)
    manifold.__dict__["found"] = []
    look, labels, threads = RealismLook(manifold, 1.0, extractor), np.zeros(6, np.int64), torch.get_num_threads()
    torch.set_num_threads(1)  # as all that draw
    try:
        for parts in ([slice(0, 6)], [slice(0, 1), slice(1, 6)], [slice(3, 6), slice(0, 3)]):
            for part in parts:
                look(images[100:106][part], labels[part])
    finally:
        torch.set_num_threads(threads)
    first, second, third = np.split(np.concatenate(manifold.found), 3)
    assert np.array_equal(first, second)
    assert np.array_equal(first, np.roll(third, 3))
    assert len(set(first.tolist())) == 6


def test_wrong_input():
    real = RNG.standard_normal((30, 3))
    with pytest.raises(ValueError, match="expected"):
        RealManifold.of(real).realism(real[:, :2])
    with pytest.raises(ValueError, match="k = 30"):
        RealManifold.of(real, k=30)
    with pytest.raises(ValueError, match="equal"):
        RealManifold.of(np.ones((30, 3)))
