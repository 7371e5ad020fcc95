"""A network that takes pixels for features, so that what is scored is known."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from gan.data.store.resident import Resident
from gan.evaluation.extraction import LocalExtraction
from gan.evaluation.real import RealImages
from gan.metrics.features import FeatureExtractor
from gan.metrics.network import FeatureNetwork
from gan.metrics.weights import INCEPTION_SHA256


class Counting:
    """An extraction whose features are pixels, and that counts the images it is given."""

    def __init__(self, name: str = "pixels", sha256: str = INCEPTION_SHA256) -> None:
        def run(images: Tensor) -> Tensor:
            self.passed += len(images)
            return images[:, 0].flatten(1)

        self.passed = 0
        network = FeatureNetwork(name, sha256, "fp32", torch.device("cpu"), 4, run)
        self.extractor = FeatureExtractor(network, resize="torch")
        local = LocalExtraction(self.extractor)
        self.of_images, self.of_program = local.of_images, local.of_program


@pytest.fixture
def extraction() -> Counting:
    return Counting()


def noise(count: int, seed: int, low: int = 0, high: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (count, 4, 4, 1), dtype=np.uint8)


@pytest.fixture
def real() -> Iterator[RealImages]:
    """60 training and 30 held out images of three classes."""
    splits = {
        "train": Resident(noise(60, 0), np.arange(60, dtype=np.int64) % 3),
        "test": Resident(noise(30, 1), np.arange(30, dtype=np.int64) % 3),
    }
    return RealImages("abc", splits, ("a", "b", "c"))
