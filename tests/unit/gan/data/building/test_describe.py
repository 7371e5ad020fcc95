"""What is said about a dataset: figures held against its own pixels, samples and notes."""

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.building.describe import SAMPLES_PER_CLASS
from gan.data.pixels.prepare import prepare
from gan.data.store.shards import read_split, split_rows

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3, max_aspect=4)


def pixels_of(folder, split="train"):
    images, labels = zip(*read_split(folder, split), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize("colours", ["none", "some", "all"])
def test_mean_and_standard_deviation_are_numpys(build, noise, tmp_path, colours):
    channels = {"none": [1], "some": [1, 1, 3], "all": [3]}[colours]
    records = [noise(seed, channels=channels[seed % len(channels)]) for seed in range(40)]
    info = build(records, tmp_path / "out", CONFIG).info
    images, _ = pixels_of(tmp_path / "out")
    assert info.channels == images.shape[3] == len(info.mean)
    np.testing.assert_allclose(info.mean, images.mean(axis=(0, 1, 2)) / 255, atol=1e-6)
    np.testing.assert_allclose(info.std, images.std(axis=(0, 1, 2)) / 255, atol=1e-6)


def test_figures_of_each_class_are_those_of_the_shards(build, noise, tmp_path):
    records = [noise(seed, label=seed % 3) for seed in range(60)]
    info = build(records, tmp_path / "out", CONFIG, class_names=("x", "y", "z")).info
    for split, number in (("train", info.num_train), ("test", info.num_test)):
        counts = np.bincount(pixels_of(tmp_path / "out", split)[1], minlength=3)
        assert info.counts[split] == dict(zip("xyz", counts.tolist(), strict=True))
        assert number == counts.sum()


def test_images_without_labels(build, noise, tmp_path):
    built = build([noise(seed, label=-1) for seed in range(30)], tmp_path / "out", CONFIG, class_names=())
    info = built.info
    assert info.num_classes == 0
    assert info.counts == {"train": {"unlabelled": info.num_train}, "test": {"unlabelled": info.num_test}}
    assert info.num_train + info.num_test == 30
    assert built.samples["unlabelled"].shape == (SAMPLES_PER_CLASS, 8, 8, 1)


def test_an_image_without_a_label_among_labelled_ones_is_either_counted_or_not_there(build, noise, tmp_path):
    records = [noise(seed, label=seed % 3 - 1) for seed in range(60)]
    info = build(records, tmp_path / "out", CONFIG.model_copy(update={"max_reject_share": 1.0})).info
    assert info.num_train == split_rows(tmp_path / "out", "train")
    assert info.num_train + info.num_test + info.num_rejects == 60


def test_the_settings_are_said(build, noise, tmp_path):
    records = [noise(seed, split="test" if seed % 4 == 0 else "train") for seed in range(40)]
    changes = {"crop": "pad", "filter": "box", "background": "#102030", "class_map": {"b": "c"}}
    info = build(records, tmp_path / "hash", CONFIG.model_copy(update=changes | {"split": "hash"})).info
    said = (info.crop, info.filter, info.background, info.class_map, info.split, info.holdout_fraction)
    assert said == ("pad", "box", "#102030", {"b": "c"}, "hash", 0.3)
    assert info.class_names == ("a", "c")
    info = build(records, tmp_path / "source", CONFIG, has_split=True).info
    assert (info.split, info.holdout_fraction) == ("source", None)
    assert (info.num_train, info.num_test) == (30, 10)


def test_samples_are_the_first_training_images_of_each_class(build, noise, tmp_path):
    records = [noise(seed, split="test" if seed < 4 else "train", channels=1 if seed % 3 else 3) for seed in range(40)]
    samples = build(records, tmp_path / "out", CONFIG, has_split=True).samples
    assert list(samples) == ["a", "b"]
    for label, name in enumerate(["a", "b"]):
        own = [record.pixels for record in records[4:] if record.label == label][:SAMPLES_PER_CLASS]
        options = {"resolution": 8, "crop": "centre", "filter": "lanczos", "channels": 3}
        assert np.array_equal(samples[name], np.stack([prepare(pixels, **options) for pixels in own]))


def test_sides_are_of_the_source_images_that_are_kept(build, noise, tmp_path):
    shapes = [(9, 12), (11, 8), (30, 31), (7, 7), (20, 21)] * 8
    records = [noise(seed, shape=shape) for seed, shape in enumerate(shapes)]
    records += [noise(99, shape=(1, 1)), noise(98, shape=(90, 9))]
    built = build(records, tmp_path / "out", CONFIG)
    assert built.info.num_rejects == 2
    assert built.sides == (7, 9, 30)


def test_small_and_dropped_classes_are_noted_after_what_the_source_says(build, noise, tmp_path):
    labels = [0] * 90 + [1] * 12 + [2]
    records = [noise(at, label=label, split="test" if at % 4 == 0 else "train") for at, label in enumerate(labels)]
    built = build(
        records, tmp_path / "out", CONFIG, class_names=("ape", "bee", "cat", "dog"), has_split=True, notes=("a note",)
    )
    assert built.notes == (
        "a note",
        "class cat is left out: of its images 1 remain to train on, fewer than data.min_class_images",
        "class dog is left out: of its images none remain to train on, for all are rejected or held out",
        "class bee has only 9 images to train on",
    )
