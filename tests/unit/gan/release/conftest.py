"""Real digits, and what a careless copyist does to images."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits


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
