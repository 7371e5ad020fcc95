"""The calibration of clipped scores against simulation and closed forms."""

import numpy as np
import pytest

from gan.metrics.clipped import clipped_counts, clipped_radii, share_of_good


@pytest.mark.parametrize("m", [0, 1, 3, 8])
def test_the_nearest_fellow_has_a_closed_form(m: int) -> None:
    """A ball out to the nearest of N - 1 others holds none of m images with (N - 1) / (N - 1 + m)."""
    assert share_of_good(m / (9 + m), 1, generated=8, reference=10) == pytest.approx(m / 8)


@pytest.mark.parametrize(("k", "good", "reference"), [(5, 60, 100), (3, 100, 40), (5, 2, 30)])
def test_what_good_images_fill_gives_their_share(k: int, good: int, reference: int) -> None:
    """In the mean over many draws of both sets, whatever the distribution: here of one dimension."""
    rng, filled = np.random.default_rng(0), []
    for _ in range(400):
        real, drawn = rng.standard_normal(reference), rng.standard_normal(good)
        radii = np.sort(abs(real[:, None] - real), axis=1)[:, k]
        inside = (abs(real[:, None] - drawn) <= radii[:, None]).sum(axis=1)
        filled.append(clipped_counts(inside, k).mean())
    assert share_of_good(float(np.mean(filled)), k, generated=200, reference=reference) == pytest.approx(
        good / 200, rel=0.05
    )


def test_it_is_no_more_than_all_and_holds_for_many() -> None:
    assert share_of_good(1.0, 5, generated=10_000, reference=10_000) == 1.0
    assert share_of_good(0.0, 5, generated=10_000, reference=10_000) == 0.0
    halves = [share_of_good(c, 5, generated=10_000, reference=10_000) for c in (0.2, 0.4, 0.6)]
    assert halves == sorted(halves)
    assert 0.0 < halves[0] < halves[-1] < 1.0


def test_radii_and_counts_are_clipped() -> None:
    """Without a part of the set its median is another one; what is not there stays so."""
    radii = np.array([[1.0, np.nan], [2.0, 2.0], [9.0, 10.0], [3.0, 4.0], [4.0, 6.0]])
    np.testing.assert_array_equal(clipped_radii(radii), [[1, np.nan], [2, 2], [3, 5], [3, 4], [3, 5]])
    np.testing.assert_array_equal(clipped_counts(np.array([0, 2, 4, 9, np.nan]), 4), [0, 0.5, 1, 1, np.nan])
