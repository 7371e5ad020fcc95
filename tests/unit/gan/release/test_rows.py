"""Rows: quotas are met exactly, every shard has the mix of all, and no seed comes twice."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.release.rows import LAST_SEED, has_room, row_labels, row_seeds, shard_starts

QUOTAS = st.lists(st.integers(0, 500), min_size=1, max_size=12).filter(any)
SEEDS = st.integers(0, 2**62)


@given(SEEDS, QUOTAS)
def test_quotas_are_met_exactly(first_seed, quotas):
    labels = row_labels(first_seed, quotas)
    assert labels.dtype == np.int64
    assert np.bincount(labels, minlength=len(quotas)).tolist() == quotas


@given(SEEDS, QUOTAS, st.integers(1, 300))
def test_every_shard_has_nearly_the_mix_of_all(first_seed, quotas, most):
    labels, total = row_labels(first_seed, quotas), sum(quotas)
    starts = shard_starts(total, most)
    for start, end in itertools.pairwise(starts):
        counts = np.bincount(labels[start:end], minlength=len(quotas))
        for count, quota in zip(counts, quotas, strict=True):
            # a class may be one off at each end, and the others push it by as much as their share of the rows
            assert abs(count - (end - start) * quota / total) <= 2 * (1 + quota * len(quotas) / total)


def test_labels_are_mixed_and_not_dealt_round():
    labels = row_labels(7, [1000] * 10)
    pairs = {tuple(pair) for pair in np.stack([labels[:-1], labels[1:]], axis=1).tolist()}
    assert len(pairs) == 100, "each class comes behind each"
    hands = {tuple(hand) for hand in labels.reshape(-1, 10).tolist()}
    assert len(hands) > 990
    assert not np.array_equal(labels, row_labels(8, [1000] * 10))


def test_the_plan_is_frozen():
    labels = row_labels(2**61 + 5, [70_000, 3, 0, 1000])
    assert hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()[:16] == "5f9f34f0b5305142"


@given(st.integers(1, 10**6), st.integers(1, 10**5))
def test_shards_are_as_few_as_can_be_and_equal_within_a_row(total, most):
    starts = shard_starts(total, most)
    sizes = np.diff(starts)
    assert (starts[0], starts[-1], len(sizes)) == (0, total, -(-total // most))
    assert sizes.max() <= most
    assert sizes.max() - sizes.min() <= 1


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 300), st.integers(1, 20))
def test_no_seed_comes_twice(first_seed, total, attempts):
    rows = np.arange(total)
    seeds = [row_seeds(first_seed, total, rows, np.full(total, attempt)) for attempt in range(attempts)]
    assert np.array_equal(np.concatenate(seeds), np.arange(first_seed, first_seed + attempts * total))


@pytest.mark.parametrize(
    ("first_seed", "total", "attempts", "room"),
    [(0, 1, 1, True), (LAST_SEED - 20, 10, 2, True), (LAST_SEED - 19, 10, 2, False), (-1, 1, 1, False)],
)
def test_seeds_stay_whole_numbers_of_64_bits(first_seed, total, attempts, room):
    assert has_room(first_seed, total, attempts) == room
    if room:
        assert row_seeds(first_seed, total, np.array([total - 1]), np.array([attempts - 1]))[0] < LAST_SEED
