"""Two generators on the seeds of an evaluation, and the difference of their KID image by image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gan.configuration.config import EvaluationConfig
from gan.data.store.resident import Resident
from gan.evaluation.extraction import LocalExtraction
from gan.evaluation.real import RealFeatures, RealImages
from gan.metrics.features import FeatureExtractor
from gan.metrics.kid import kid
from gan.metrics.network import FeatureNetwork
from tasks.tune import judge as module
from tasks.tune.judge import compare

SHAPE = (6, 6, 3)
SEEN: list[np.ndarray] = []


class Noise(nn.Module):
    """Draws random images between `low` and white, that follow from the seed."""

    def __init__(self, low):
        super().__init__()
        self.low = low

    def forward(self, rows):
        SEEN.append(rows.numpy().copy())
        images = [np.random.default_rng(int(seed)).integers(self.low, 256, SHAPE, np.uint8) for seed, _ in rows]
        return torch.from_numpy(np.stack(images))


@pytest.fixture
def features(tmp_path, monkeypatch):
    SEEN.clear()
    monkeypatch.setattr(module, "load_generator", lambda checkpoint: Noise(int(checkpoint.name)))
    network = FeatureNetwork("pixels", "0" * 64, "fp32", torch.device("cpu"), 6, lambda images: images.flatten(1))
    images = np.random.default_rng(0).integers(0, 256, (60, *SHAPE), dtype=np.uint8)
    real = RealImages("md5", {"train": Resident(images, np.arange(60) % 3)}, ("a", "b", "c"))
    return RealFeatures(real, LocalExtraction(FeatureExtractor(network, resize="torch")), tmp_path, seed=0)


CONFIG = EvaluationConfig(num_images=50, seed=7)


def test_the_one_nearer_to_real_images_beats_the_other_and_not_the_reverse(features):
    found = compare(features, CONFIG, Path("0"), Path("60"), lambda done: None)
    assert found.beats
    assert found.difference.low < found.difference.value < found.difference.high < 0
    assert (found.images, found.reference) == (50, 50)
    real = features.real.splits["train"].images[features.rows("train", 50)].reshape(50, -1).astype(np.float32)
    drawn = np.stack([np.random.default_rng(seed).integers(0, 256, SHAPE, np.uint8) for seed in range(7, 57)])
    assert found.winner.value == pytest.approx(kid(drawn.reshape(50, -1).astype(np.float32), real).mean, rel=1e-6)
    assert found.difference.value == pytest.approx(found.winner.value - found.preset.value, rel=1e-6)
    assert not compare(features, CONFIG, Path("60"), Path("0"), lambda done: None).beats


def test_both_draw_the_same_seeds_and_classes_none_of_which_chose(features):
    compare(features, CONFIG, Path("0"), Path("60"), lambda done: None)
    half = len(SEEN) // 2
    first, second = (np.concatenate(each[1:]) for each in (SEEN[:half], SEEN[half:]))  # one shows how large they are
    assert np.array_equal(first, second)
    assert first[:, 0].min() == 7  # those beside training lie below zero
    labels = np.arange(60) % 3
    assert np.array_equal(first[:, 1], labels[features.rows("train", 50)])


def test_equal_generators_do_not_beat_each_other(features):
    found = compare(features, CONFIG, Path("0"), Path("0"), lambda done: None)
    assert found.difference.value == 0
    assert not found.beats
