"""Bars in four directions: classes that a few batches teach."""

from collections.abc import Callable

import numpy as np
import pytest

Bars = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def bars() -> Bars:
    """Draw `per_class` images [8, 8, 1] of each class: a row, a column or one of two diagonals, on noise."""

    def draw(per_class: int, seed: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(classes), per_class)
        images = rng.integers(0, 120, (len(labels), 8, 8, 1))
        rows = np.arange(8)
        shapes = ((np.full(8, 4), rows), (rows, np.full(8, 4)), (rows, rows), (rows, 7 - rows))
        for image, label in zip(images, labels, strict=True):
            image[shapes[label]] += 100
        return images.astype(np.uint8), labels

    return draw
