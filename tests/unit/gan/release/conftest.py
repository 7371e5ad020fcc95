"""Real digits, and what a careless copyist does to images."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gan.evaluation.evaluation_set import EvaluationSet
from gan.metrics.evaluation import Evaluation
from gan.metrics.feature_set import collect
from gan.metrics.network import FeatureNetwork
from gan.metrics.protocol import Protocol
from gan.metrics.weights import INCEPTION_SHA256
from gan.release.figures import release_evaluation


def digit_images() -> tuple[np.ndarray, np.ndarray]:
    """1,797 real digits [N, 16, 16, 1] uint8 and their labels."""
    images, labels = load_digits(return_X_y=True)
    wide = np.kron(images.reshape(-1, 8, 8), np.ones((1, 2, 2)))
    return np.minimum(wide * 16, 255).astype(np.uint8)[..., None], labels.astype(np.int64)


def shift(images: np.ndarray) -> np.ndarray:
    return np.pad(images, ((0, 0), (1, 0), (0, 1), (0, 0)), mode="edge")[:, :-1, 1:]


def recompress(images: np.ndarray) -> np.ndarray:
    copies = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.squeeze()).save(file, "JPEG", quality=90)
        copies.append(np.asarray(Image.open(file)).reshape(image.shape))
    return np.stack(copies)


def add_noise(images: np.ndarray) -> np.ndarray:
    return (images + np.random.default_rng(5).normal(0, 3, images.shape)).clip(0, 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    return digit_images()


@pytest.fixture(scope="session")
def alterations() -> dict:
    return {
        "shifted": shift,
        "recompressed": recompress,
        "noised": add_noise,
        "brighter": lambda images: (images.astype(int) + 8).clip(0, 255).astype(np.uint8),
        "shifted and recompressed": lambda images: recompress(shift(images)),
    }


class ScoredDigits:
    """Digits in three parts: real images, those that a model was scored with, and a release of it; pixels for features.

    Args:
        seed: of the parts.
    """

    names = tuple("0123456789")
    network = FeatureNetwork("pixels", INCEPTION_SHA256, "fp32", torch.device("cpu"), 16, lambda images: images)

    def __init__(self, seed: int = 0) -> None:
        images, labels = digit_images()
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
def scored_digits() -> ScoredDigits:
    return ScoredDigits()


@pytest.fixture(scope="session")
def score_digits() -> type[ScoredDigits]:
    return ScoredDigits
