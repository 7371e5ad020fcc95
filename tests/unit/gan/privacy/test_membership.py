"""The attack guesses where nothing is learnt by heart, and knows where everything is."""

import numpy as np
import pytest

from gan.privacy.membership import membership_attack
from gan.privacy.view import feature_view, pixel_view


def test_the_attack_is_the_share_of_pairs():
    drawn = np.arange(20.0)[:, None] * 10
    members, others = drawn + np.linspace(1, 3, 20)[:, None], drawn[:20] + np.linspace(2, 4, 20)[:, None]
    apart = np.linspace(1, 3, 20)[:, None] < np.linspace(2, 4, 20)
    found = membership_attack(feature_view(drawn, members, others))
    assert found.attack.value == pytest.approx(apart.mean(), abs=0.02)
    assert (found.num_members, found.num_others) == (20, 20)


def test_a_copier_is_attacked_and_an_honest_generator_is_not(parts, copies):
    training, holdout, honest = parts()
    attacked = membership_attack(pixel_view(copies(training, 600), training, holdout))
    assert attacked.attack.low > 0.6 > attacked.control.high
    guessed = membership_attack(pixel_view(honest, training, holdout))
    assert guessed.attack.low < 0.5 < guessed.attack.high


def test_other_seeds_change_the_control_alone(parts):
    training, holdout, honest = parts()
    a, b = (membership_attack(pixel_view(honest, training, holdout), seed=seed) for seed in (0, 1))
    assert a.attack == b.attack
    assert a.control != b.control
