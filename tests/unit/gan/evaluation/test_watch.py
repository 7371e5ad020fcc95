"""What watches a run: the same conditions for every checkpoint, and the KID and the variety that they give."""

import numpy as np
import pytest
import torch

from gan.data.store.resident import Resident
from gan.errors import InputError
from gan.evaluation import watch as module
from gan.evaluation.extraction import LocalExtraction
from gan.evaluation.real import RealFeatures, RealImages
from gan.evaluation.watch import Watch, Watched
from gan.metrics.evaluation import Metric
from gan.metrics.features import FeatureExtractor
from gan.metrics.kid import kid
from gan.metrics.network import FeatureNetwork
from gan.metrics.variety import Variety

SHAPE = (6, 6, 3)


def pixels(images):
    """A network whose features are pixels."""
    return images.flatten(1)


def watch(folder, *, train, count, reference=4, passes=None, conditional=True):
    """A watch over `train` random images whose classes are 0, 1, 2, 0, 1, 2 and so on."""

    def run(images):
        if passes is not None:
            passes.append(len(images))
        return pixels(images)

    network = FeatureNetwork("pixels", "0" * 64, "fp32", torch.device("cpu"), 6, run)
    extraction = LocalExtraction(FeatureExtractor(network, resize="torch"))
    images = np.random.default_rng(0).integers(0, 256, (train, *SHAPE), dtype=np.uint8)
    splits = {"train": Resident(images, np.arange(train) % 3), "test": Resident(images[:4], np.arange(4) % 3)}
    real = RealImages("md5", splits, ("a", "b", "c"))
    features = RealFeatures(real, extraction, folder, seed=3)
    return Watch(features, count, reference=reference, conditional=conditional), images


def constant(grey, seen=None):
    def program(rows):
        if seen is not None:
            seen.append(rows.clone())
        return torch.full((len(rows), *SHAPE), grey, dtype=torch.uint8)

    return program


def test_it_is_the_kid_of_fixed_seeds_against_training_images_with_its_interval(tmp_path):
    watching, images = watch(tmp_path, train=50, count=20)
    noise = np.random.default_rng(1).integers(0, 256, (20, *SHAPE), dtype=np.uint8)

    def program(rows):
        return torch.from_numpy(noise[20 + rows[:, 0].numpy()])

    found = watching.score(program).kid
    chosen = watching.features.rows("train", 20)
    wanted = kid(noise.reshape(20, -1).astype(np.float32), images[chosen].reshape(20, -1).astype(np.float32))
    assert found.value == pytest.approx(wanted.mean, rel=1e-9)
    assert found.low == pytest.approx(wanted.mean - 1.96 * wanted.standard_error, rel=1e-9)
    assert found.high == pytest.approx(wanted.mean + 1.96 * wanted.standard_error, rel=1e-9)


def test_few_generated_images_are_held_against_the_reference_that_the_evaluation_begins_with(tmp_path):
    passes = []
    watching, images = watch(tmp_path, train=50, count=20, reference=40, passes=passes)
    noise = np.random.default_rng(1).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
    found = watching.score(lambda rows: torch.from_numpy(noise[20 + rows[:, 0].numpy()]))
    assert sum(passes) == 20 + 40
    chosen = watching.features.rows("train", 40)
    wanted = kid(noise.reshape(20, -1).astype(np.float32), images[chosen].reshape(40, -1).astype(np.float32))
    assert found.kid.value == pytest.approx(wanted.mean, rel=1e-9)
    assert sum(each.real for each in found.variety.values()) == 40
    assert sum(each.generated for each in found.variety.values()) == 20
    # what an evaluation wants next is there already
    assert watching.features.missing("train", 40) == 0


def test_a_large_reference_is_cut_to_what_a_score_is_worth(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_REFERENCE", 30)
    assert len(watch(tmp_path, train=50, count=20, reference=40)[0].real_labels) == 30
    assert len(watch(tmp_path, train=50, count=45, reference=40)[0].real_labels) == 45


def test_every_checkpoint_is_asked_for_the_same_seeds_which_no_evaluation_draws(tmp_path):
    watching, _ = watch(tmp_path, train=50, count=300)
    seen = [[], []]
    for rows in seen:
        watching.score(constant(9, rows))
    first, second = (torch.cat(rows[1:]) for rows in seen)  # the first image shows how large they are
    assert torch.equal(first, second)
    assert first[:, 0].tolist() == list(range(-300, 0))
    # the shares of the classes are those of the training images, again and again where these are fewer
    labels = np.arange(50)[watching.features.rows("train", 300)] % 3
    assert first[:, 1].tolist() == np.resize(labels, 300).tolist()


def test_what_is_nearer_to_the_training_images_scores_lower(tmp_path):
    watching, images = watch(tmp_path, train=50, count=50)
    scores = [watching.score(program).kid.value for program in (lambda rows: torch.from_numpy(images), constant(0))]
    assert scores[0] < 0.01 * scores[1]


def test_the_class_that_draws_a_single_image_is_found(tmp_path):
    watching, images = watch(tmp_path, train=50, count=60)

    def program(rows):
        noise = np.random.default_rng(1).integers(0, 256, (60, *SHAPE), dtype=np.uint8)[60 + rows[:, 0].numpy()]
        noise[rows[:, 1].numpy() == 2] = images[0]
        return torch.from_numpy(noise)

    found = watching.score(program).variety
    # 50 training images, 0 1 2 0 1 2 …, whose labels are asked for again from the first on
    rows = watching.features.rows("train", 60)
    assert {label: each.real for label, each in found.items()} == {0: 17, 1: 17, 2: 16}
    assert [found[label].generated for label in range(3)] == np.bincount(np.resize(rows % 3, 60)).tolist()
    assert [label for label, each in found.items() if each.collapsed] == [2]


def test_a_generator_without_classes_is_watched_as_one(tmp_path):
    watching, images = watch(tmp_path, train=50, count=20, conditional=False)
    found = watching.score(lambda rows: torch.from_numpy(images[20 + rows[:, 0].numpy()]))
    assert {label: (each.generated, each.real) for label, each in found.variety.items()} == {-1: (20, 20)}
    assert not found.variety[-1].collapsed
    assert watching.score(constant(3)).variety[-1].collapsed


def test_training_images_pass_the_network_once_and_then_come_from_the_cache(tmp_path):
    passes = []
    watching, _ = watch(tmp_path, train=50, count=20, passes=passes)
    assert passes == []
    watching.score(constant(1))
    watching.score(constant(2))
    assert sum(passes) == 3 * 20
    again, _ = watch(tmp_path, train=50, count=20, passes=passes)
    again.score(constant(1))
    assert sum(passes) == 4 * 20


@pytest.mark.parametrize(("train", "count", "real"), [(3, 10, 3), (10, 3, 4)])
def test_too_few_images_are_refused_with_both_numbers(tmp_path, train, count, real):
    with pytest.raises(InputError, match=f"there are {count} and {real}: take more images"):
        watch(tmp_path, train=train, count=count)


def watched(*ratios):
    variety = {label: Variety(ratio, 100, 90) for label, ratio in enumerate(ratios)}
    return Watched(Metric(value=0.05, low=0.04, high=0.06), variety)


def test_the_narrowest_class_is_logged_beside_the_kid():
    found = watched(0.9, 0.7, 1.1).metrics
    assert found == {"kid": 0.05, "kid_low": 0.04, "kid_high": 0.06, "variety": 0.7}


def test_without_a_class_of_enough_images_there_is_no_variety():
    assert watched().metrics == {"kid": 0.05, "kid_low": 0.04, "kid_high": 0.06}


def test_a_collapsed_class_is_named_with_its_figure_and_what_to_do():
    assert watched(0.9, 0.0312).collapses(["boot", "coat"], 50_048) == {
        1: "class coat seems to collapse: at 50,048 images, 100 generated images of it vary 0.031 times as much as 90 "
        "real ones: train with more images of it, with augmentation (augment.operations), or with stronger penalties "
        "(such as loss.r1_gamma)"
    }


def test_a_generator_without_classes_collapses_as_a_whole():
    found = Watched(Metric(value=0.5), {-1: Variety(0.0, 100, 100)})
    (sentence,) = found.collapses([], 64).values()
    assert sentence.startswith(
        "the generator seems to collapse: at 64 images, 100 generated images vary 0 times as much"
    )
