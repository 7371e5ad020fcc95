"""Features and scores of a cell, with a feature network of three numbers."""

from dataclasses import replace

import numpy as np
import torch
from quality import measuring
from quality.data import RARE_CLASS, Labelled, subset
from quality.measuring import draw, judge_cell, reference_of

from gan.generation.sampling import sample_uint8
from gan.networks.build import build_generator

CPU = torch.device("cpu")


def test_features_of_a_killed_command_are_not_made_again(judge, data, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "PART", 16)
    images = data.train.images[:40]
    whole = judge.features(images, tmp_path / "one")
    assert (len(whole), sum(judge.passes)) == (40, 40)
    (missing,) = (tmp_path / "one").rglob("16-16.npy")
    missing.unlink()
    again = judge.features(images, tmp_path / "one")
    assert sum(judge.passes) == 56
    np.testing.assert_array_equal(again.features, whole.features)


def test_features_of_the_same_real_images_are_made_once(judge, data):
    judge.of_real(data.test.head(20))
    judge.of_real(data.test.head(20))
    assert sum(judge.passes) == 20


def test_the_reference_is_a_keyed_choice_of_the_experiments_split(cell, data):
    assert reference_of(cell, data, 30).digest == data.test.head(30).digest
    assert len(reference_of(cell, data, 5000)) == 200
    of_train = replace(cell, experiment=replace(cell.experiment, reference="train"))
    assert reference_of(of_train, data, 30).digest == data.train.head(30).digest


def test_drawn_images_are_those_of_the_seeds_from_0_up(cell, monkeypatch):
    monkeypatch.setattr(measuring, "DRAW", 4)
    G = build_generator(cell.config().network, channels=1, num_classes=10)
    labels = np.arange(10, dtype=np.int64)
    whole = sample_uint8(G, torch.arange(10), torch.arange(10), CPU)
    assert np.abs(draw(G, labels, CPU).astype(int) - whole).max() <= 1


def test_scores_are_kept_as_soon_as_they_are_there(judge, cell, data, tmp_path):
    generated = Labelled(data.test.images[:40], data.test.labels[:40])
    record = judge_cell(judge, cell, data, generated, tmp_path / "cell")
    assert {"fd_tiny_40", "kd_tiny_40", "precision40", "coverage40"} <= record["metrics"].keys()
    assert record["reference_images"] == 40
    assert record["protocol"]["precision"] == "fp32"
    assert record["copies"]["pixels"]["share"]["value"] <= 1
    assert record["kid_of_training_images"]["low"] <= record["kid_of_training_images"]["value"]
    seen = sum(judge.passes)
    assert judge_cell(judge, cell, data, generated, tmp_path / "cell") == record
    assert sum(judge.passes) == seen


def test_copies_of_training_images_are_found(judge, data):
    training, holdout = data.train.head(200), data.test
    copied = Labelled(training.images[:50], training.labels[:50])
    sides = [(judge.of_real(each), each) for each in (copied, training, holdout)]
    found = measuring.copies(*sides, "cpu")
    assert found["pixels"]["share"]["value"] == 1.0
    assert found["features"]["share"]["value"] == 1.0
    assert found["pixels"]["control_share"] < 0.1


def test_a_gain_is_told_with_its_arms(data, monkeypatch):
    monkeypatch.setattr(measuring, "CLASSIFIER_STEPS", 2)
    monkeypatch.setattr(measuring, "CLASSIFIER_SEEDS", 2)
    told = []
    found = measuring.gain(subset(data, "rare"), data.train.head(600), CPU, told.append)
    assert (found["rare_class"], found["kept"], found["left_out"], found["added"]) == (RARE_CLASS, 20, 30, 30)
    assert {arm: len(recalls) for arm, recalls in found["recalls"].items()} == {"without": 2, "augmented": 2, "full": 2}
    assert {"rare_recall_gain", "rare_recall_headroom"} <= found["metrics"].keys()
    assert told[-1] == "classifiers, 12 of 12 steps"
