"""Releases of generators that are planted: an honest one is published, one that copies or repeats itself is not.

The generators look images of real digits up: held out ones, training ones, ever the same.
"""

import json
import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from gan.configuration.config import ReleaseConfig
from gan.configuration.presets import digits
from gan.data.store.resident import Resident
from gan.data.store.shards import read_split
from gan.errors import ReleaseError
from gan.evaluation.extraction import LocalExtraction
from gan.evaluation.real import RealFeatures, RealImages
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.features import FeatureExtractor
from gan.metrics.network import FeatureNetwork
from gan.metrics.protocol import Protocol
from gan.release import usefulness
from gan.release.figures import rows_like
from gan.release.selection import coverage_lost
from gan.usefulness.arms import ClassifierRecipe
from tasks.generate import judging
from tasks.generate.judging import Judge
from tasks.generate.manifest import EXACT_COPIES, NEAR_COPIES
from tasks.generate.names import next_name
from tasks.generate.partial import forget_partial
from tasks.generate.release import build_release
from tasks.generate.repeats import pack, unpack
from tasks.generate.selecting import Selecting, select
from tasks.reports.release_page import release_html
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel

NAMES = tuple(map(str, range(10)))
MODEL = RegisteredModel(3, "r77", "0" * 32, NAMES, "gan-generator")
CONFIG = ReleaseConfig(num_images=200, batch_size=50, shard_images=120, check_images=0, max_attempts=40)
PROTOCOL = Protocol(
    num_generated=1000, num_reference=1000, reference_split="train", resize="tf1", network="n", network_sha256="s",
    precision="fp32", dataset_md5="0" * 32, seed=0,
)  # fmt: skip
EVALUATION = Evaluation(protocol=PROTOCOL, metrics={"kid1k": Metric(value=0.01)})


@pytest.fixture(scope="module")
def real():
    """Digits of 16 px: a third to train on, a ninth held out; the rest is for honest generators."""
    found = load_digits()
    images = np.kron(found.images, np.ones((2, 2))) * 255 / 16
    images = images.round().astype(np.uint8)[..., np.newaxis]
    splits = [Resident(images[rows], found.target[rows]) for rows in (slice(600), slice(600, 800), slice(800, None))]
    return RealImages("0" * 32, dict(zip(("train", "test"), splits[:2], strict=True)), NAMES), splits[2]


def looking_up(images, labels):
    """A program that draws images of each class, as the seed says."""
    of_class = [torch.from_numpy(images[labels == label]) for label in range(10)]

    def program(rows):
        chosen = [(of_class[int(label) % 10], seed * 2654435761 >> 16) for seed, label in rows.tolist()]
        return torch.stack([there[place % len(there)] for there, place in chosen])

    return program


def made(path, real, program, config=CONFIG, name="r", evaluation=EVALUATION, open_features=pytest.fail):
    settings = Settings(ganflow_home=path)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    rows = torch.tensor([[seed, seed % 10] for seed in range(256)])
    first = program(rows).numpy()
    labels = rows[:, 1].numpy()
    selecting = select(settings, config, real, name=name, count=config.num_images, first=first, labels=labels)
    ours = digits().model_copy(update={"release": config})
    judge = Judge(MODEL, program, ours, evaluation, selecting, real, open_features)
    options = {"evaluation": evaluation, "training_digests": (), "configuration": "preset digits", "seed": 0}
    release = build_release(settings, MODEL, program, config, name=name, judge=judge, **options)
    forget_partial(settings, name)  # as one that is recorded
    return release


def test_an_honest_generator_is_published_and_each_look_is_in_the_manifest(tmp_path, real):
    dataset, others = real
    release = made(tmp_path, dataset, looking_up(others.images, others.labels))
    assert release.refused == ()
    assert release.folder == tmp_path / "synthetic" / "r"
    checks = {check["check"]: check["passed"] for check in release.manifest["checks"]}
    assert checks == {
        "balance": True, "duplicates": True, "duplicates of earlier releases": True, "copies of training images": True,
    }  # fmt: skip
    assert release.manifest["privacy"] == {EXACT_COPIES: 0, NEAR_COPIES: 0}
    assert "is fit to be handed on" in page(release)


def page(release):
    samples = (release.folder / "samples.png").read_bytes()
    return release_html(release.manifest, samples, release.judgement.pairs, release.refused)


def test_images_that_repeat_others_are_drawn_again_and_so_are_those_of_earlier_releases(tmp_path, real):
    dataset, others = real
    few = np.concatenate([np.flatnonzero(others.labels == label)[:80] for label in range(10)])
    program = looking_up(others.images[few], others.labels[few])
    first = made(tmp_path, dataset, program, name="first")
    assert first.manifest["selection"]["yield"] < 1
    second = made(tmp_path, dataset, program, name="second")
    assert second.manifest["selection"]["duplicates"]["earlier_releases"] == ["first"]
    digests = [{bytes(row) for row in pack(images_of(release))[:, :16]} for release in (first, second)]
    assert [len(each) for each in digests] == [200, 200]
    assert not digests[0] & digests[1]


PIXELS = FeatureNetwork("n", "s", "fp32", torch.device("cpu"), 16, lambda pixels: pixels.mean(dim=1).flatten(1))
EXTRACTOR = FeatureExtractor(PIXELS, resize="tf1", batch_size=50)


def test_what_rejecting_cost_is_told_by_the_first_attempts_of_the_same_rows(tmp_path, real):
    dataset, others = real
    dataset = replace(dataset, splits={"train": dataset.splits["train"]})
    few = np.concatenate([np.flatnonzero(others.labels == label)[:30] for label in range(10)])
    program = looking_up(others.images[few], others.labels[few])

    def opened(real):
        return RealFeatures(real, LocalExtraction(EXTRACTOR), tmp_path / "cache", 0)

    config = CONFIG.model_copy(update={"check_images": 150})
    release = made(tmp_path, dataset, program, config, open_features=opened)
    selection = release.manifest["selection"]
    assert sum(selection["rejected"]["duplicate"].values()) > 30
    labels = np.concatenate([labels for _, labels in read_split(release.folder, "train")])
    rows = rows_like(labels, opened(dataset).set_of("train", 1000, lambda done: None).labels, 150)
    first = program(torch.from_numpy(np.stack([rows, labels[rows]], axis=1))).numpy()
    reference = EXTRACTOR.extract([dataset.splits["train"].images])
    wanted = coverage_lost(EXTRACTOR.extract([first]), EXTRACTOR.extract([images_of(release)[rows]]), reference)
    lost = selection["coverage_lost"]
    assert lost["num_images"] == 150
    assert lost["coverage_drawn"]["value"] == pytest.approx(wanted.coverage_drawn.value, abs=0.01)
    assert lost["recall_kept"]["value"] == pytest.approx(wanted.recall_kept.value, abs=0.01)
    assert lost["coverage_kept"]["value"] > lost["coverage_drawn"]["value"]  # of repeats: rejecting them gains
    assert "no variety was lost beyond chance" in page(release)
    assert "| coverage | " in (release.folder / "README.md").read_text()
    by_class = [
        each[1:]
        for each in re.findall(r"<tr><th[^>]*><bdi[^>]*>(\d)</bdi></th><td>(\d+)</td><td>([\d.]+)%", page(release))
    ]
    assert [int(drawn) for drawn, _ in by_class] == [selection["asked_by_class"][name] for name in NAMES]
    assert [share for _, share in by_class] == [f"{2000 / selection['asked_by_class'][name]:.2f}" for name in NAMES]
    none = config.model_copy(update={"reject_copies": False, "reject_duplicates": False})
    whole = made(tmp_path, dataset, program, none, "whole", open_features=opened)
    assert "coverage_lost" not in whole.manifest["selection"]
    assert "What rejecting cost" not in page(whole)


def images_of(release):
    return np.concatenate([images for images, _ in read_split(release.folder, "train")])


def test_a_generator_that_has_too_few_images_fails_with_the_class_and_the_reason(tmp_path, real):
    dataset, others = real
    some = np.concatenate([np.flatnonzero(others.labels == label)[:5] for label in range(10)])
    few = CONFIG.model_copy(update={"max_attempts": 3})
    with pytest.raises(ReleaseError, match="duplicate"):
        made(tmp_path, dataset, looking_up(others.images[some], others.labels[some]), few)
    assert not (tmp_path / "synthetic" / "r").exists()


def test_a_generator_that_copies_is_quarantined_and_its_name_is_not_given_again(tmp_path, real):
    dataset, _ = real
    training = dataset.splits["train"]
    shifted = np.roll(training.images, 1, axis=2).astype(int) + np.random.default_rng(0).integers(
        -2, 3, training.images.shape
    )
    program = looking_up(shifted.clip(0, 255).astype(np.uint8), training.labels)
    release = made(tmp_path, dataset, program, name="v3-001")
    assert release.folder == Settings(ganflow_home=tmp_path).quarantine_dir / "v3-001"
    (said,) = release.refused
    assert "a shifted or recompressed copy of a training image" in said
    assert not (tmp_path / "synthetic" / "v3-001").exists()
    assert json.loads((release.folder / "manifest.json").read_text())["checks"]
    assert "is in quarantine" in page(release)
    assert page(release).count('alt="trained on"') == len(release.judgement.pairs) == 12
    for pair in release.judgement.pairs:
        assert np.abs(pair.generated - np.roll(pair.training, 1, axis=1).astype(int)).max() <= 2
    settings = Settings(ganflow_home=tmp_path)
    assert next_name(settings, 3) == "v3-002"
    with pytest.raises(ReleaseError, match=r"release v3-001 lies in quarantine .* give another --name"):
        made(tmp_path, dataset, program, name="v3-001")


def test_without_the_training_images_copies_are_not_said_to_be_none(tmp_path, real):
    _, others = real
    release = made(tmp_path, None, looking_up(others.images, others.labels))
    assert NEAR_COPIES not in release.manifest["privacy"]
    assert "Whether others come near to one was not looked at" in (release.folder / "README.md").read_text()


def test_fingerprints_are_the_same_unpacked(real):
    images = real[1].images[:20]
    packed = pack(images)
    found = unpack(packed, (16, 16))
    assert len(set(found.words)) == len({image.tobytes() for image in images})
    assert np.array_equal(found.pictures, images[..., 0])


SCORED = PROTOCOL.model_copy(
    update={"num_generated": 200, "num_reference": 600, "num_training": 600, "num_holdout": 200}
)


def pixel_features(path, real):
    network = FeatureNetwork(
        "n", "s", "fp32", torch.device("cpu"), 16, lambda images: images[:, 0, ::2, ::2].flatten(1)
    )
    extraction = LocalExtraction(FeatureExtractor(network, resize="tf1"))
    return RealFeatures(real, extraction, path / "cache", SCORED.seed)


def scored(cas):
    metrics = {} if cas is None else {"cas200": Metric(value=cas, low=cas - 0.02, high=cas + 0.02)}
    return Evaluation(protocol=SCORED, metrics=metrics)


def test_a_classifier_learns_from_an_honest_release_and_not_from_one_of_wrong_classes(tmp_path, real, monkeypatch):
    short = ClassifierRecipe(steps=60)
    monkeypatch.setattr(usefulness, "ClassifierRecipe", lambda device: short)
    monkeypatch.setattr(judging, "recognise", partial(judging.recognise, recipe=short))
    dataset, others = real
    asked = CONFIG.model_copy(update={"check_images": 200, "reject_copies": False, "reject_duplicates": False})
    mixed = np.random.default_rng(0).permutation(others.labels)
    checks = []
    for name, labels in (("honest", others.labels), ("mixed", mixed)):
        program, features = looking_up(others.images, labels), partial(pixel_features, tmp_path)
        release = made(tmp_path, dataset, program, asked, name, scored(0.8), features)
        checks.append({check["check"]: check for check in release.manifest["checks"]})
    honest, wrong = (each["cas200"] for each in checks)
    assert honest["passed"], honest["said"]
    assert honest["value"] > 0.7
    assert not wrong["passed"]
    assert wrong["said"] in release.refused
    assert "is worse than the model's 0.8" in wrong["said"]
    assert "usefulness" not in checks[0]


@pytest.mark.parametrize(
    ("cas", "images", "why"),
    [
        (None, 200, "the evaluation of its model has no CAS (evaluation.usefulness_seeds measures it)"),
        (0.9, 150, "it lacks the 200 images, in the real images' shares, of its model's cas200"),
    ],
)
def test_a_cas_that_cannot_be_compared_is_said_not_to_be_measured(tmp_path, real, cas, images, why):
    features = pixel_features(tmp_path, real[0])
    judge = Judge(MODEL, pytest.fail, digits(), scored(cas), Selecting(), real[0], pytest.fail)
    reference = features.set_of("train", 600, lambda done: None)
    filling = SimpleNamespace(labels=np.arange(images) % 10)
    measured, (check,) = judge._usefulness(filling, features, reference, "cpu")
    assert measured == {}
    assert check.said == f"whether a classifier learns from it is not measured: {why}"
