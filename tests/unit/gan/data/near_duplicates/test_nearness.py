"""Scores that chance explains, and the threshold that they give."""

import numpy as np
import pytest

from gan.data.near_duplicates.nearness import explained, score_threshold


@pytest.fixture
def chance():
    return np.random.default_rng(0).weibull(12.0, 2000)


def test_the_threshold_has_the_share_below_it_that_was_asked_for(chance):
    # Of this distribution itself: 1 - exp(-s^12).
    for level in (0.05, 0.001, 1e-6):
        wanted = (-np.log1p(-level)) ** (1 / 12)
        assert score_threshold(chance, level) == pytest.approx(wanted, rel=0.15)
        assert score_threshold(chance, level) <= wanted * 1.05


def test_scores_of_copies_are_set_aside_though_they_are_many(chance):
    assert len(explained(chance)) >= len(chance) - 2
    with_copies = np.concatenate([chance, np.linspace(0.1, 0.3, 100)])
    assert abs(len(explained(with_copies)) - len(chance)) < 20
    assert score_threshold(explained(with_copies), 1e-5) == pytest.approx(score_threshold(chance, 1e-5), rel=0.1)


def test_none_are_left_of_none():
    assert len(explained(np.empty(0))) == 0
