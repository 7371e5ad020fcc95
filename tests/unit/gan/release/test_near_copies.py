"""Copies of training images are rejected, and no more held out ones than the level says."""

import numpy as np
import pytest

from gan.evaluation.copy_shares import LEVEL
from gan.metrics.copy_control import Control
from gan.metrics.pixel_copies import find_pixel_copies
from gan.release.near_copies import EXACT_COPY, NEAR_COPY, SHIFTED_COPY, CopyLook

NONE = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def sets(digits):
    order = np.random.default_rng(0).permutation(1797)
    return tuple(digits[0][part] for part in np.split(order, [900, 1350]))


@pytest.fixture(scope="module")
def look(sets):
    return CopyLook(sets[0], sets[1])


def words(look, images):
    return [("kept", *look.reasons)[verdict] for verdict in look(images, NONE)]


@pytest.mark.parametrize("name", ["shifted", "recompressed", "noised", "brighter", "shifted and recompressed"])
def test_altered_copies(sets, look, alterations, name):
    assert words(look, alterations[name](sets[0][:40])) == [SHIFTED_COPY] * 40


def test_exact_and_mirrored_copies(sets, look):
    assert words(look, sets[0][:40]) == [EXACT_COPY] * 40
    assert set(words(look, sets[0][:40, :, ::-1])) <= {NEAR_COPY, SHIFTED_COPY}


def test_what_is_rejected_is_what_an_evaluation_counts(sets, look):
    """One look for both: the same images, by the same thresholds."""
    training, holdout, drawn = sets
    planted = np.concatenate([training[:20, :, ::-1], drawn])
    found = find_pixel_copies(planted, training, holdout, level=LEVEL)
    assert found.share.value == np.mean(look(planted, NONE) > 0)
    assert look.thresholds.score == found.threshold
    assert look.thresholds.control_share == found.control_share


@pytest.mark.parametrize("times", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_honest_images_are_rejected_as_rarely_as_the_level_says(digits, times):
    """Real digits in three parts, of which the third is looked at."""
    rejected = drawn = 0
    for seed in range(times):
        parts = np.split(np.random.default_rng(seed).permutation(1797), [600, 1200])
        training, holdout, honest = (digits[0][part] for part in parts)
        look = CopyLook(training, holdout)
        assert look.thresholds.control_share <= 2 * LEVEL
        rejected, drawn = rejected + int((look(honest, NONE) > 0).sum()), drawn + len(honest)
    print(f"of {drawn:,} honest images {rejected} were called copies: {rejected / drawn:.3%}, level {LEVEL:.1%}")  # noqa: T201
    assert rejected / drawn <= 1.5 * LEVEL


def test_without_a_holdout_training_images_among_themselves_set_the_thresholds(sets, alterations):
    for holdout in (None, sets[1][:19]):
        look = CopyLook(sets[0][:50], holdout)
        assert look.thresholds.control is Control.AMONG
        assert look.thresholds.control_share == 0.0
        assert words(look, sets[0][:3]) == [EXACT_COPY] * 3
        assert words(look, alterations["shifted"](sets[0][:50])) == [NEAR_COPY] * 50


def test_without_any_control_equal_images_alone_are_found(sets, alterations):
    look = CopyLook(sets[0][:19], sets[1][:19])
    assert look.thresholds.control is look.thresholds.score is look.thresholds.control_share is None
    assert words(look, sets[0][:3]) == [EXACT_COPY] * 3
    assert words(look, alterations["shifted"](sets[0][:3])) == ["kept"] * 3


def test_a_holdout_that_repeats_the_training_set_does_not_hide_copies(sets, alterations):
    holdout = sets[1].copy()
    holdout[:30] = sets[0][:30]
    look = CopyLook(sets[0], holdout)
    assert words(look, alterations["shifted"](sets[0][40:60])) == [SHIFTED_COPY] * 20


def test_images_of_another_size_are_refused(sets):
    with pytest.raises(ValueError, match="held out"):
        CopyLook(sets[0], sets[1][:, :8, :8])
