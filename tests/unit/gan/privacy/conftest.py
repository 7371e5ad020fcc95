"""Real digits as training images, held out ones and honest new ones, and a generator that copies."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

ENLARGED = np.kron(load_digits().images, np.ones((1, 2, 2)))
DIGITS = np.minimum(ENLARGED * 16, 255).astype(np.uint8)[..., None]


def three_parts(seed=0, sizes=(600, 600)):
    """Training, holdout and honest images [n, 16, 16, 1] uint8."""
    order = np.random.default_rng(seed).permutation(len(DIGITS))
    return tuple(DIGITS[part] for part in np.split(order, np.cumsum(sizes)))


def copier(training, count, seed=0, noise=4.0):
    """Draw what a generator draws that knows nothing but its training images."""
    rng = np.random.default_rng(seed)
    drawn = training[rng.integers(len(training), size=count)]
    return (drawn + rng.normal(0, noise, drawn.shape)).clip(0, 255).round().astype(np.uint8)


def features(images):
    """Pixels as features [n, 256] float32."""
    return images.reshape(len(images), -1).astype(np.float32) / 255


@pytest.fixture
def parts():
    return three_parts


@pytest.fixture
def copies():
    return copier


@pytest.fixture
def as_features():
    return features
