"""Nearest neighbours and pairs within radii against distances written out, where products in float32 fail too."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.metrics import neighbours
from gan.metrics.neighbours import nearest, pairs_within


def draw(count: int, dimensions: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)


def all_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    distances: np.ndarray = np.linalg.norm(a[:, None].astype(np.float64) - b[None].astype(np.float64), axis=2)
    return distances


def expect_nearest(a: np.ndarray, b: np.ndarray, k: int, *, exclude_self: bool = False) -> None:
    distances, indices = nearest(a, b, k, exclude_self=exclude_self)
    table = all_distances(a, b)
    if exclude_self:
        np.fill_diagonal(table, np.inf)
    assert (distances.dtype, indices.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :k], rtol=1e-6, atol=0.0)
    np.testing.assert_allclose(np.take_along_axis(table, indices, axis=1), distances, rtol=1e-6, atol=0.0)
    assert all(len(set(row)) == k for row in indices.tolist())


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(2, 60), st.integers(1, 6), st.integers(0, 99), st.data())
def test_equals_all_distances(n: int, m: int, dimensions: int, seed: int, data: st.DataObject) -> None:
    """Whatever the sizes of sets and blocks; features on a grid bring ties and copies."""
    a, b = np.round(2 * draw(n, dimensions, seed)), np.round(2 * draw(m, dimensions, seed + 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_MAX_SIDE", data.draw(st.integers(1, 64)))
        expect_nearest(a, b, data.draw(st.integers(1, m)))
        expect_nearest(b, b, data.draw(st.integers(1, m - 1)), exclude_self=True)


def test_copies_have_distance_zero() -> None:
    """Far from the origin too, where the square of a distance is lost among the squares of norms."""
    reference = draw(300, 64, 0) + np.float32(1000.0)
    distances, indices = nearest(reference[::-1], reference, 2)
    np.testing.assert_array_equal(indices[:, 0], np.arange(300)[::-1])
    assert (distances[:, 0] == 0.0).all()
    expect_nearest(reference[::-1], reference, 2)


def test_self_is_left_out_but_its_copy_is_found() -> None:
    """With two equal rows each finds the other, at distance 0."""
    features = draw(50, 8, 0)
    features[31] = features[7]
    distances, indices = nearest(features, features, 3, exclude_self=True)
    assert (indices[7, 0], indices[31, 0]) == (31, 7)
    assert distances[7, 0] == distances[31, 0] == 0.0
    assert (indices != np.arange(50)[:, None]).all()


def test_near_copies_that_float32_cannot_rank() -> None:
    """Clusters far apart whose members differ by less than the error of products, more of them than candidates."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((4, 32)) * 1e3
    members = (centres[:, None] + rng.standard_normal((4, 40, 32)) * 1e-2).reshape(-1, 32)
    expect_nearest(members[::2] + 1e-3, members, 3)
    expect_nearest(members, members, 3, exclude_self=True)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_squares_outside_float32(scale: float) -> None:
    """Features whose squares over- or underflow in float32 are searched in float64."""
    expect_nearest(draw(30, 4, 0) * np.float32(scale), draw(40, 4, 1) * np.float32(scale), 3)


def test_half_precision_and_read_only() -> None:
    """float16 and arrays that nobody may write are taken without a warning."""
    a, b = draw(30, 4, 0).astype(np.float16), draw(40, 4, 1).astype(np.float16)
    a.setflags(write=False)
    expect_nearest(a, b, 3)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.integers(1, 64), st.integers(1, 50))
def test_pairs_within(n: int, m: int, seed: int, side: int, most: int) -> None:
    """The pairs are those that a table of distances has, each once, whatever the blocks; edges belong to balls."""
    a, b = np.round(2 * draw(n, 3, seed)), np.round(2 * draw(m, 3, seed + 1))
    radii_a, radii_b = (np.random.default_rng(seed).integers(0, 4, size).astype(np.float64) for size in (n, m))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_MAX_SIDE", side)
        patch.setattr(neighbours, "_MAX_PAIRS", most)
        pieces = list(pairs_within(a, b, radii_a, radii_b))
    assert all(len(i) <= most for i, _, _ in pieces)
    found = {(i, j): d for piece in pieces for i, j, d in zip(*(each.tolist() for each in piece), strict=True)}
    table = all_distances(a, b)
    wanted = np.argwhere(table <= np.maximum(radii_a[:, None], radii_b[None]))
    assert sum(len(i) for i, _, _ in pieces) == len(wanted)
    assert set(found) == {(i, j) for i, j in wanted.tolist()}
    np.testing.assert_allclose(
        [found[i, j] for i, j in wanted.tolist()], [table[i, j] ** 2 for i, j in wanted], atol=1e-9
    )


def test_copies_lie_in_balls_of_radius_zero() -> None:
    """The error of products is on the side of the closed ball."""
    features = draw(200, 512, 0) + np.float32(3.0)
    pairs = list(pairs_within(features, features, np.zeros(200), np.zeros(200)))
    assert torch.cat([i for i, _, _ in pairs]).tolist() == torch.cat([j for _, j, _ in pairs]).tolist() == [*range(200)]


def test_refused() -> None:
    """k beyond what there is, sets that do not fit together, and features that are no numbers."""
    features = draw(5, 3, 0)
    with pytest.raises(ValueError, match="k = 6 neighbours were asked for, but a query has 5"):
        nearest(features, features, 6)
    with pytest.raises(ValueError, match="k = 5 neighbours were asked for, but a query has 4"):
        nearest(features, features, 5, exclude_self=True)
    with pytest.raises(ValueError, match="k = 0"):
        nearest(features, features, 0)
    with pytest.raises(ValueError, match="one set"):
        nearest(features[:4], features, 1, exclude_self=True)
    with pytest.raises(ValueError, match="expected"):
        nearest(features, features[:, :2], 1)
    for wrong in (np.nan, np.inf):
        broken = features.copy()
        broken[2, 1] = wrong
        for pair in ((broken, features), (features, broken)):
            with pytest.raises(ValueError, match="finite"):
                nearest(*pair, 1)
