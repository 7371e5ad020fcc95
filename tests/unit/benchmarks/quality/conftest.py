"""A small published set, one tiny cell on it, and a judge with a feature network of three numbers."""

import numpy as np
import pytest
import torch
from quality.cells import Budget, Cell, Experiment, Variant
from quality.data import Data, Labelled
from quality.measuring import Judge

from gan.metrics.features import FeatureExtractor
from gan.metrics.network import FeatureNetwork

SIDE = 16
CPU = torch.device("cpu")


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


@pytest.fixture
def judge(tmp_path):
    """Whose network sees how bright three parts of an image are, and counts its passes."""
    passes = []

    def run(images):
        passes.append(len(images))
        return images.mean(dim=1).flatten(1)[:, :3]

    network = FeatureNetwork("tiny", "0" * 64, "fp32", CPU, 8, run)
    judge = Judge(tmp_path, CPU, "fp32", None, lambda text: None)
    judge.__dict__["extractor"] = FeatureExtractor(network, resize="tf1", batch_size=8)
    judge.passes = passes
    return judge
