"""The index against a comparison of all with all."""

import numpy as np
import pytest

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
