"""Real digits as a model's training images, its scores and a release of it."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from gan.evaluation.evaluation_set import EvaluationSet
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_set import collect
from gan.metrics.network import FeatureNetwork
from gan.metrics.protocol import Protocol
from gan.metrics.weights import INCEPTION_SHA256
from gan.release.figures import release_evaluation


class ScoredDigits:
    """Digits in three parts: real images, those that a model was scored with, and a release of it; pixels for features.

    Args:
        digits: images and labels.
        seed: of the parts.
    """

    names = tuple("0123456789")
    network = FeatureNetwork("pixels", INCEPTION_SHA256, "fp32", torch.device("cpu"), 16, lambda images: images)

    def __init__(self, digits: tuple[np.ndarray, np.ndarray], seed: int = 0) -> None:
        images, labels = digits
        order = np.random.default_rng(seed).permutation(len(images))
        self.parts = [(images[rows], labels[rows]) for rows in np.split(order, 3)]
        self.reference = self.as_set(*self.part(0))
        protocol = Protocol(
            num_generated=500,
            num_reference=len(self.reference),
            reference_split="train",
            resize="tf1",
            network="pixels",
            network_sha256=INCEPTION_SHA256,
            precision="fp32",
            dataset_md5="d",
            seed=0,
            neighbours=5,
        )
        self.registered = Evaluation(protocol=protocol, metrics={})
        self.registered = self.evaluate(*self.part(1))

    def part(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        return self.parts[place][0].copy(), self.parts[place][1].copy()

    def as_set(self, images: np.ndarray, labels: np.ndarray) -> EvaluationSet:
        features = collect([images[:, ::2, ::2, 0].reshape(len(images), -1).astype(np.float32) / 16])
        return EvaluationSet(images, np.arange(len(images)), labels, features)

    def evaluate(self, images: np.ndarray, labels: np.ndarray) -> Evaluation:
        return release_evaluation(
            self.as_set(images, labels), self.reference, self.registered, self.network, self.names
        )


@pytest.fixture(scope="session")
def scored_digits(digits) -> ScoredDigits:
    return ScoredDigits(digits)


@pytest.fixture(scope="session")
def score_digits(digits) -> Callable[[int], ScoredDigits]:
    return partial(ScoredDigits, digits)
