"""The index against a comparison of all with all."""

import bisect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.near_duplicates import near_index
from gan.data.near_duplicates.near_index import OFFSETS, Chosen, NearIndex


def distance(a, b):
    """As said in words: middles less their mean, root mean square, at the best of nine shifts of one."""
    fixed = b[1:-1, 1:-1].astype(float)
    apart = []
    for y, x in OFFSETS:
        moved = a[1 + y : len(a) - 1 + y, 1 + x : a.shape[1] - 1 + x].astype(float)
        difference = (moved - moved.mean()) - (fixed - fixed.mean())
        apart.append(np.sqrt((difference**2).mean()))
    return min(apart)


def pairs(index, pictures):
    found = {}
    for near in index.near(pictures):
        found |= {(q, r): d for q, r, d in zip(near.queries.tolist(), near.rows.tolist(), near.distances, strict=True)}
    return found


def test_distances_are_those_of_all_shifts(digits):
    pictures = digits[0][:300, ..., 0]
    found = pairs(NearIndex(pictures, 40.0), pictures)
    assert sum(q != r for q, r in found) > 20
    for (q, r), apart in found.items():
        assert apart == pytest.approx(distance(pictures[q], pictures[r]), abs=1e-9)
    assert all(found[row, row] == 0.0 for row in range(300))


def test_most_near_pairs_are_found_and_no_others(digits):
    pictures = digits[0][:120, ..., 0]
    near = {(q, r) for q in range(120) for r in range(120) if q != r and distance(pictures[q], pictures[r]) <= 36.0}
    found = {pair for pair in pairs(NearIndex(pictures, 36.0), pictures) if pair[0] != pair[1]}
    assert len(near) > 40
    assert found <= near
    # here, where digits differ by all kinds of strokes; what is shifted or noised is found always
    assert len(found) >= 0.85 * len(near)


@pytest.mark.parametrize("side", [4, 5, 8, 32])
def test_pictures_of_every_size(side):
    pictures = np.random.default_rng(side).integers(0, 256, (50, side, side), dtype=np.uint8)
    moved = np.pad(pictures, ((0, 0), (0, 1), (1, 0)), mode="edge")[:, 1:, :-1]
    found = pairs(NearIndex(pictures, 2.0), moved)
    assert {(row, row) for row in range(50)} <= found.keys()


def test_blank_pictures_crowd_a_bucket_and_are_found():
    pictures = np.zeros((3000, 8, 8), np.uint8)
    near = next(NearIndex(pictures, 1.0).near(pictures[:100]))
    assert near.crowded.all()
    assert set(near.queries.tolist()) == set(range(100))


def test_an_index_of_nothing_finds_nothing():
    index = NearIndex(np.zeros((0, 8, 8), np.uint8), 1.0)
    assert [len(near.rows) for near in index.near(np.zeros((3, 8, 8), np.uint8))] == [0]


def test_some_rows_of_many_are_read_where_they_are_looked_at(digits, tmp_path):
    pictures = digits[0][:300, ..., 0]
    np.save(tmp_path / "pictures.npy", pictures)
    mapped = np.load(tmp_path / "pictures.npy", mmap_mode="r", allow_pickle=False)
    rows = np.random.default_rng(0).permutation(300)[:200]
    chosen = Chosen(mapped, rows)
    assert (len(chosen), chosen.shape) == (200, (200, 16, 16))
    assert pairs(NearIndex(chosen, 40.0), chosen) == pairs(NearIndex(pictures[rows], 40.0), pictures[rows])


def by_definition(pictures, threshold, queries):
    """What the class says, pair by pair: near pairs of all windows of all tables, and what is crowded."""
    index = NearIndex(pictures, threshold)
    found, crowded = {}, np.zeros(len(queries), bool)
    own = [[int(word) for word in table.keys] for table in index._tables]
    moved = index._transformed(queries, len(OFFSETS))
    for query in range(len(queries)):
        for place, (y, x) in enumerate(OFFSETS):
            coefficients = moved[place, :, query]
            for table, keys in zip(index._tables, own, strict=True):
                key = int(table._keys_of(coefficients[:, None])[0])
                at = bisect.bisect_left(keys, key)
                window = [each for each in range(at - 12, at + 12) if 0 <= each < len(keys)]
                window = [each for each in window if keys[each] >> 24 == key >> 24]
                crowded[query] |= at - 12 in window or at + 11 in window
                for row in (int(table.rows[each]) for each in window):
                    far = index._columns[:, row].astype(float) - coefficients
                    fixed = pictures[row, 1:-1, 1:-1].astype(float)
                    side = fixed.shape
                    difference = queries[query, 1 + y : 1 + y + side[0], 1 + x : 1 + x + side[1]] - fixed
                    apart = np.sqrt(difference.var())
                    if (far**2).sum() <= index._bound and apart <= threshold:
                        found[query, row] = min(apart, found.get((query, row), np.inf))
    return found, crowded


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0, 9.0, 40.0]), st.integers(1, 12))
def test_blocks_on_all_cores_find_what_the_definition_finds(digits, seed, threshold, copies):
    rng = np.random.default_rng(seed)
    pictures = digits[0][rng.integers(0, 1797, 40), ..., 0]
    pictures[rng.integers(0, 40, 3 * copies)] = pictures[rng.integers(0, 40)]  # a bucket that is crowded
    pictures = (pictures + rng.integers(0, 3, pictures.shape)).clip(0, 255).astype(np.uint8)
    index = NearIndex(pictures, threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_index, "_BLOCK", 13)
        patch.setattr(near_index, "_ROWS", 5)
        blocks = list(index.near(pictures))
    found = {}
    for near in blocks:
        found |= {(q, r): d for q, r, d in zip(near.queries.tolist(), near.rows.tolist(), near.distances, strict=True)}
    wanted, crowded = by_definition(pictures, threshold, pictures)
    assert found == pytest.approx(wanted, abs=1e-9)
    assert np.concatenate([near.crowded for near in blocks]).tolist() == crowded.tolist()
