"""MIND: against closed forms, and its interval against many draws."""

import numpy as np
import pytest
import torch

from gan.keyed_random import Purpose, normal
from gan.metrics.fid_interval import fid_interval
from gan.metrics.mind import SCALE, mind_estimate, mind_influences


def gaussian(count, seed, mean=0.0, spread=1.0, dimensions=8):
    features: np.ndarray = np.random.default_rng(seed).standard_normal((count, dimensions)) * spread + mean
    return features.astype(np.float32)


def value(a, b, **options):
    return mind_influences(a, b, **options).value


def directions(count, dimensions):
    drawn = normal(torch.arange(count), Purpose.PROJECTION, dimensions).double().numpy()
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (1.0, 1.0), (0.0, 2.0), (0.5, 0.5)])
def test_isotropic_gaussians_have_a_closed_form(mean, spread):
    """Along each direction a shift by the means' product with it, and transport that adds the spreads' difference."""
    found = value(gaussian(20_000, 0, mean, spread), gaussian(20_000, 1), projections=60)
    shifts = directions(60, 8) @ np.full(8, mean)
    assert found == pytest.approx(SCALE * 8 * ((shifts**2).mean() + (spread - 1.0) ** 2), rel=0.02, abs=0.02)


def test_directions_go_everywhere_alike():
    """So that the mean of the squared products with m tends to |m|^2 / D: MIND of two points is 3 |m|^2."""
    found = value(np.zeros((2, 8), np.float32), np.full((2, 8), 0.5, np.float32), projections=10_000)
    assert found == pytest.approx(3 * 8 * 0.25, rel=0.04)  # the standard error is 0.013


def test_a_shift_is_known_to_the_last_digit():
    """Each image moves by the same vector: along a direction by its product with it."""
    a, shift = gaussian(50, 0), np.linspace(-1, 1, 8).astype(np.float32)
    wanted = SCALE * 8 * ((directions(30, 8) @ shift) ** 2).mean()
    assert value(a + shift, a, projections=30) == pytest.approx(wanted, rel=1e-5)
    assert value(a, a[::-1]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("count_a", "count_b"), [(4, 6), (6, 4), (5, 1 + 5), (7, 2)])
def test_unequal_sets_are_matched_by_quantiles(count_a, count_b):
    """As if every image of both were there as often as makes them equally many."""
    a, b = gaussian(count_a, 0), gaussian(count_b, 1, 0.5)
    repeated = value(np.repeat(a, count_b, axis=0), np.repeat(b, count_a, axis=0), projections=20)
    assert value(a, b, projections=20) == pytest.approx(repeated, rel=1e-5)


def test_two_against_three_numbers_by_hand():
    """In one dimension there is one direction, whatever its sign: 0, 3 against 0, 0, 3 is a sixth of 3 squared."""
    found = mind_influences(np.array([[0.0], [3.0]]), np.array([[0.0], [0.0], [3.0]]))
    assert found.value == pytest.approx(SCALE * 9 / 6)
    # a third of what goes to the 3 comes from a 0: in the mean it is moved by 1
    slopes = 0.0, 2 * 1.0
    assert found.generated[1] - found.generated[0] == pytest.approx(SCALE * 3 * (slopes[0] + slopes[1]) / 2, rel=1e-6)


@pytest.mark.parametrize("counts", [(80, 80), (80, 50)])
def test_an_influence_is_what_the_score_loses_without_the_image(counts):
    a, b = gaussian(counts[0], 0, 0.7), gaussian(counts[1], 1)
    found = mind_influences(a, b, projections=50)
    without_a = [value(np.delete(a, i, 0), b, projections=50) for i in range(len(a))]
    without_b = [value(a, np.delete(b, i, 0), projections=50) for i in range(len(b))]
    for influences, without in ((found.generated, without_a), (found.reference, without_b)):
        lost = (len(without) - 1) * (found.value - np.array(without))
        slope, _ = np.polyfit(influences, lost, 1)
        assert slope == pytest.approx(1.0, abs=0.1)
        assert np.corrcoef(influences, lost)[0, 1] > 0.95


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("counts", [(100, 100), (150, 60)])
def test_the_interval_holds_the_mean_as_often_as_it_says(shift, counts):
    found = [
        mind_estimate(gaussian(counts[0], 2 * seed, shift), gaussian(counts[1], 2 * seed + 1), projections=20)
        for seed in range(150)
    ]
    mean = np.mean([each.value for each in found])
    assert np.mean([each.low <= mean <= each.high for each in found]) >= 0.91  # FID's is 0.91 to 1.00


def test_blocks_change_nothing_and_the_directions_are_always_the_same(monkeypatch):
    a, b = gaussian(40, 0, 0.2), gaussian(33, 1)
    whole = mind_influences(a, b, projections=50)
    monkeypatch.setattr("gan.metrics.mind._BLOCK", 7)
    pieces = mind_influences(a, b, projections=50)
    assert pieces.value == pytest.approx(whole.value, rel=1e-6)
    assert pieces.generated == pytest.approx(whole.generated, rel=1e-4)
    assert pieces.reference == pytest.approx(whole.reference, rel=1e-4)
    assert mind_estimate(a, b, projections=50) == fid_interval(pieces)


def test_wrong_input():
    with pytest.raises(ValueError, match=r"features are \(1, 8\) and \(5, 8\)"):
        mind_influences(gaussian(1, 0), gaussian(5, 0))
    with pytest.raises(ValueError, match=r"\(5, 8\) and \(5, 9\)"):
        mind_influences(gaussian(5, 0), gaussian(5, 0, dimensions=9))
