"""A small published set, and one tiny cell on it."""

import numpy as np
import pytest
from quality.cells import Budget, Cell, Experiment, Variant
from quality.data import Data, Labelled

SIDE = 16


def labelled(count, seed, side=SIDE):
    images = np.random.default_rng(seed).integers(0, 256, (count, side, side, 1), dtype=np.uint8)
    return Labelled(images, np.arange(count, dtype=np.int64) % 10)


@pytest.fixture
def data():
    """1,000 images to train on and 200 held out, of ten classes in turn."""
    train = labelled(1000, 0)
    return Data(train, labelled(200, 1), 10, train)


@pytest.fixture
def cell():
    """Four steps of the preset `debug`."""
    variant = Variant("tiny", "debug", ("train.batch_size=8", "network.widths=[8,8]"))
    budget = Budget(kimg=0.032)
    experiment = Experiment("trial", "noise", (variant,), (budget,), reference="test", looks_for_copies=True)
    return Cell(experiment, "all", variant, budget, 3)
