"""Features that nobody trained: what they see, and that a KID by them tells real digits from worse ones."""

import numpy as np
import pytest
import torch

from gan.metrics.features import FeatureExtractor
from gan.metrics.kid import kid
from gan.metrics.pixel_features import ORIENTATIONS, pixel_features, pixel_network


def ramp(across, down):
    line = torch.arange(64.0)
    return (across * line[None, :] + down * line[:, None]).expand(1, 3, 64, 64)


def edges(found):
    """[8] mean strength of edges of each direction, of the image at its whole side."""
    return found[0, 192 : 192 + 512].view(ORIENTATIONS, 64).mean(1)


@pytest.mark.parametrize(("across", "down", "direction"), [(1, 0, 0), (1, 1, 2), (0, 1, 4), (-1, 1, 6)])
def test_an_edge_is_counted_by_its_direction_and_has_no_sign(across, down, direction):
    for sign in (1.0, -1.0):
        found = edges(pixel_features(100 + sign * ramp(across, down)))
        assert int(found.argmax()) == direction


def test_colours_are_means_of_cells():
    image = torch.zeros(1, 3, 64, 64)
    image[0, 1, 8:16, :8] = 255.0
    found = pixel_features(image)[0, :192].view(3, 8, 8)
    assert found[1, 1, 0] == 1.0
    assert found.sum() == 1.0


def test_they_take_the_place_of_a_network(digits):
    images, _ = digits
    network = pixel_network()
    found = FeatureExtractor(network, resize="clean").extract([images[:5]], 5)
    assert found.shape == (5, 832)
    assert not network.is_inception


def test_worse_images_are_farther_away(digits):
    images, _ = digits
    rng = np.random.default_rng(0)
    extractor = FeatureExtractor(pixel_network(), resize="clean")

    def features(some):
        return extractor.extract([some], len(some))

    real, others = images[:200], images[200:400]
    wanted = features(real)
    noisy = np.clip(others + rng.normal(0, 40, others.shape), 0, 255).astype(np.uint8)
    halves = np.concatenate([others[:, 8:], others[:, :8]], axis=1)
    one_only = np.repeat(others[:1], 200, axis=0)
    near = kid(features(others), wanted).mean
    for worse in (noisy, halves, one_only, others.swapaxes(1, 2)):
        assert kid(features(worse), wanted).mean > 5 * abs(near)
