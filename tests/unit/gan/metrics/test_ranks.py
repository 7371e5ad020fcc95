"""The area under the curve by counting pairs, and an interval that holds what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.metrics.ranks import auc, weighted_share

NUMBERS = st.lists(st.integers(-3, 3), min_size=2, max_size=20)


@given(NUMBERS, NUMBERS)
def test_it_is_the_share_of_pairs(a, b):
    pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b]
    found, turned = auc(np.array(a, float), np.array(b, float)), auc(np.array(b, float), np.array(a, float))
    assert found.value == pytest.approx(np.mean(pairs))
    assert turned.value == pytest.approx(1 - found.value)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_variance_is_delongs():
    """By the structural components of six numbers, as the paper has them."""
    higher, lower = np.array([3.0, 1.0, 4.0]), np.array([2.0, 0.0, 3.0])
    psi = (higher[:, None] > lower).astype(float) + 0.5 * (higher[:, None] == lower)
    variance = psi.mean(axis=1).var(ddof=1) / 3 + psi.mean(axis=0).var(ddof=1) / 3
    half = 1.959964 * np.sqrt(variance + 2 * (0.5 / 3) ** 2)
    found = auc(higher, lower)
    assert found.value == pytest.approx(psi.mean())
    assert found.low == pytest.approx(max(0.0, psi.mean() - half))


def test_sets_that_do_not_overlap_leave_a_width():
    found = auc(np.arange(50.0) + 100, np.arange(50.0))
    assert found.value == found.high == 1.0
    assert 0.9 < found.low < 1.0


def test_the_interval_holds_the_truth():
    """Normals half a deviation apart, 40 against 60: 95 % of 400 intervals, give or take."""
    rng, truth, held = np.random.default_rng(0), 0.638163, 0  # Phi(0.5 / sqrt(2))
    for _ in range(400):
        found = auc(rng.standard_normal(40) + 0.5, rng.standard_normal(60))
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 400 <= 0.99


def test_wrong_input():
    good = np.arange(3.0)
    for a, b in ((good[:1], good), (good, good[:1]), (good, np.array([1.0, np.nan]))):
        with pytest.raises(ValueError, match="at least 2"):
            auc(a, b)


def test_a_share_of_equal_weights_is_wilsons():
    found = weighted_share(np.array([1.0] * 8 + [0.0] * 2), np.ones(10))
    # Wilson's score interval of 8 of 10
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.490162, 0.943318), abs=1e-5)


def test_one_image_that_weighs_most_widens_it():
    hits = np.array([1.0, 0.0] * 10)
    even, uneven = weighted_share(hits, np.ones(20)), weighted_share(hits, np.array([20.0] + [1.0] * 19))
    assert uneven.high - uneven.low > 1.5 * (even.high - even.low)
