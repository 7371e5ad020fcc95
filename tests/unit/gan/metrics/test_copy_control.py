"""Training images among themselves as the control: it leaves honest images alone, and sees copies and blends."""

import numpy as np
import pytest

from gan.evaluation.copy_shares import copy_figures
from gan.evaluation.copying import look_for_copies
from gan.evaluation.evaluation_set import EvaluationSet
from gan.metrics.copy_control import Control, control_of, looked_up, nearer, score_threshold
from gan.metrics.feature_set import collect


def as_set(images):
    features = collect([images.reshape(len(images), -1).astype(np.float32) / 255])
    return EvaluationSet(images, np.arange(len(images)), np.full(len(images), -1), features)


def shown(drawn, training):
    """The figures that show something of these images, with no image held out."""
    found = look_for_copies(as_set(drawn), as_set(training), None)
    assert found.control is Control.AMONG
    assert len(found.figures) == 4
    return {figure.name for figure in found.figures if figure.shown}


def blends(training, count, seed):
    """Draw from lines between training images and one of their five nearest others, [count, H, W, C] uint8."""
    rng, flat = np.random.default_rng(seed), training.reshape(len(training), -1).astype(float)
    near = ((flat[:, None] - flat[None]) ** 2).sum(axis=2).argsort(axis=1)[:, 1:6]
    first = rng.integers(len(flat), size=count)
    second, weight = near[first, rng.integers(5, size=count)], rng.uniform(size=(count, 1))
    drawn = weight * flat[first] + (1 - weight) * flat[second]
    return drawn.round().astype(np.uint8).reshape(count, *training.shape[1:])


@pytest.fixture
def drawn(digits):
    """Training images and honest new ones, by seed."""

    def of(count, seed, honest=200):
        images = digits[0][np.random.default_rng(seed).permutation(1797)]
        return images[:count].copy(), images[count : count + honest].copy()

    return of


@pytest.mark.parametrize(
    ("training", "holdout", "control"),
    [
        (19, 19, None),
        (0, 0, None),
        (20, 19, Control.AMONG),
        (50_000, 0, Control.AMONG),
        (2, 20, Control.HELD_OUT),
        (500, 500, Control.HELD_OUT),
    ],
)
def test_which_images_are_the_control(training, holdout, control):
    assert control_of(training, holdout) is control


def test_many_training_images_are_looked_up_in_part():
    assert looked_up(30).tolist() == list(range(30))
    some = looked_up(50_000)
    assert (len(some), some[0], some[-1]) == (2000, 0, 49_999)
    assert len(set(some.tolist())) == 2000


def test_a_small_control_has_a_threshold_that_chance_does_not_reach():
    """A third of the median, where the quantile that 50 scores seem to have lies above it."""
    scores = np.linspace(0.8, 1.0, 50)
    assert score_threshold(scores, 0.005) == pytest.approx(0.3)
    many = np.linspace(0.8, 1.0, 1000)
    assert score_threshold(many, 0.005) > 0.6


def test_ranks_count_half_the_training_images_as_independent():
    rng = np.random.default_rng(0)
    found = nearer(rng.uniform(size=400), rng.uniform(size=60))
    half = found.found.value - found.found.low
    # the deviation of a mean of 30 uniform numbers, 1 / sqrt(12), and what 400 add
    assert half == pytest.approx(1.96 * np.sqrt(1 / 12 / 30 + 1 / 12 / 400 + (0.5 / 30) ** 2), rel=0.15)
    assert 0.52 < found.control < 0.62
    assert nearer(np.ones(1), rng.uniform(size=60)) is None


@pytest.mark.parametrize("times", [8, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("training", [30, 52, 100])
def test_honest_images_raise_no_alarm(drawn, training, times):
    """By any of four figures; 0 to 1 % of 200 sets did by pixels, and as many by features, when it was measured."""
    alarms = 0
    for seed in range(times):
        originals, honest = drawn(training, seed)
        alarms += bool(shown(honest, originals))
    print(f"of {times} honest sets, {training} training images: {alarms} alarms")  # noqa: T201
    assert alarms <= 1


@pytest.mark.parametrize("training", [30, 52, 100])
@pytest.mark.parametrize("name", ["shifted", "recompressed", "noised", "brighter"])
def test_one_in_twenty_is_an_altered_copy(drawn, alterations, name, training):
    originals, images = drawn(training, 3)
    images[:10] = alterations[name](originals[:10])
    assert "pixel_copies" in shown(images, originals)


@pytest.mark.parametrize("training", [30, 52, 100])
def test_a_generator_that_blends_comes_too_near_with_every_image(drawn, training):
    originals, _ = drawn(training, 3)
    assert {"pixel_copies", "pixel_nearer"} <= shown(blends(originals, 200, 0), originals)


def test_without_a_control_there_is_nothing_to_be_shown():
    assert not list(copy_figures({}, {}, None))
