"""The look at realism with the real network: made of real digits, told in words, opened where images are drawn."""

import numpy as np
import pytest
from ray import cloudpickle
from sklearn.datasets import load_digits

from gan.configuration.config import EvaluationConfig, ReleaseConfig
from gan.data.store.resident import Resident
from gan.errors import DatasetError
from gan.evaluation.real import RealFeatures, RealImages
from gan.metrics.weights import INCEPTION_SHA256
from gan.release.near_copies import CopyLook
from gan.release.realism import UNREALISTIC
from tasks.evaluate.extraction import open_extraction
from tasks.generate.realistic import realistic
from tasks.generate.selecting import select
from tasks.runtime.settings import Settings

CONFIG = EvaluationConfig(precision="fp32", batch_size=8)
DIGITS = (np.kron(load_digits().images, np.ones((2, 2))) * 255 / 16).round().astype(np.uint8)[..., np.newaxis]
NOISE = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), np.uint8)


def made(home, train, test=()):
    parts = {"train": DIGITS[list(train)], "test": DIGITS[list(test)]}
    splits = {name: Resident(images, np.zeros(len(images), np.int64)) for name, images in parts.items() if len(images)}
    settings = Settings(ganflow_home=home)
    features = RealFeatures(
        RealImages("0" * 32, splits, ()), open_extraction(settings, CONFIG), settings.cache_dir, CONFIG.seed
    )
    counted = []

    def counting(what, total):
        counted.append(total)
        return lambda done: None

    return settings, realistic(settings, CONFIG, lambda: features, 0.6, counting), features.real, counted


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    return made(tmp_path_factory.mktemp("home"), range(24), range(24, 32))


def test_noise_is_rejected_by_whoever_draws_and_the_manifest_says_what_real_images_would_be(look):
    _, realism, _, counted = look
    assert counted == [24, 8]
    assert realism.described == {
        "least": 0.6, "holdout_share": realism.described["holdout_share"], "neighbours": 3, "real_images": 24,
        "network": "inception-v3-2015-12-05", "network_sha256": INCEPTION_SHA256, "precision": "fp32", "resize": "tf1",
    }  # fmt: skip
    images, labels = np.concatenate([DIGITS[24:32], NOISE]), np.zeros(10, np.int64)
    verdicts = realism()(images, labels)
    assert verdicts[8:].all()
    assert verdicts[:8].mean() == realism.described["holdout_share"] < 0.5
    sent = cloudpickle.loads(cloudpickle.dumps(realism))
    assert np.array_equal(sent()(images, labels), verdicts)


def test_copies_are_looked_for_first(look):
    settings, realism, real, _ = look
    asked = ReleaseConfig(reject_duplicates=False)
    first, labels = DIGITS[200:260], np.zeros(60, np.int64)
    options = {"name": "r", "count": 60, "first": first, "labels": labels, "open_realistic": lambda: realism}
    selection = select(settings, asked, real, **options).selection
    assert set(selection.described) == {"copies", "realism"}
    both = selection.make_look()
    assert both.reasons == (*CopyLook.reasons, UNREALISTIC)
    assert both(np.concatenate([DIGITS[:1], NOISE]), labels[:3]).tolist() == [1, 4, 4]
    asked = asked.model_copy(update={"reject_copies": False})
    assert select(settings, asked, None, **options).selection.make_look().reasons == (UNREALISTIC,)
    options["open_realistic"] = None
    assert select(settings, asked, None, **options).selection.make_look is None


def test_a_generator_that_copies_is_refused_without_more_ado(look):
    settings, _, real, _ = look
    options = {"name": "r", "count": 24, "first": DIGITS[:24], "labels": np.zeros(24, np.int64)}
    found = select(settings, ReleaseConfig(), real, **options, open_realistic=pytest.fail)
    assert "equal a training image" in found.refused
    assert not found.selection.rejects


def test_where_nobody_can_tell_copies_the_release_is_refused_unless_a_person_says_otherwise(look):
    settings, _, real, _ = look
    few = RealImages("x", {"train": Resident(DIGITS[:19], np.zeros(19, np.int64))}, ())
    options = {"name": "r", "count": 60, "first": DIGITS[200:260], "labels": np.zeros(60, np.int64)}
    assert "release.reject_copies=false" in select(settings, ReleaseConfig(), few, **options).refused
    asked = ReleaseConfig(reject_copies=False, reject_duplicates=False)
    assert select(settings, asked, few, **options).refused is None
    assert select(settings, ReleaseConfig(reject_duplicates=False), real, **options).refused is None


@pytest.mark.parametrize(("train", "count"), [(range(3), 3), ([0] * 8, 8), ((), 0)])
def test_too_few_images_or_equal_ones_are_a_sentence(tmp_path, train, count):
    said = rf"release\.min_realism is 0\.6, but the {count} training images of dataset 0+ are none .* set it to null"
    with pytest.raises(DatasetError, match=said):
        made(tmp_path, train, range(24, 26))
