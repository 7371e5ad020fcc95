"""Batches: one size, aligned at first, and no row lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import ReleaseError
from gan.release.batches import Keeper, Made
from gan.release.recipe import Block, Recipe


def keeper(start, count, size, attempts=5):
    recipe = Recipe(1000, 10**6, size, ("cat", "dog"), 2, max_attempts=attempts)
    return Keeper(recipe, Block.fresh(1, start, np.arange(count) % 2))


def made(batch, verdicts):
    kept = batch.seeds[verdicts == 0]
    return Made(batch, verdicts, [b"%d" % seed for seed in kept], [b"#%d" % seed for seed in kept], None)


@given(st.integers(0, 500), st.integers(1, 200), st.integers(1, 70))
def test_at_first_a_row_has_its_place_whatever_shard_it_lies_in(start, count, size):
    found = keeper(start, count, size)
    batches = found.batches()
    rows = np.concatenate([batch.places for batch in batches]) + start
    assert rows.tolist() == list(range(start, start + count))
    for batch in batches:
        assert batch.rows.shape == (size, 2)
        assert np.array_equal(batch.slots, (batch.places + start) % size)
        assert np.array_equal(batch.rows[batch.slots], np.stack([batch.seeds, batch.labels], axis=1))
        assert np.array_equal(batch.seeds, 10**6 + start + batch.places)
        assert set(map(tuple, batch.rows.tolist())) == set(
            zip(batch.seeds.tolist(), batch.labels.tolist(), strict=True)
        )
        assert len({row // size for row in (batch.places + start).tolist()}) == 1


@given(st.integers(0, 100), st.integers(1, 90), st.integers(1, 20), st.randoms(use_true_random=False))
def test_every_row_is_kept_once_with_the_seed_of_its_attempt(start, count, size, random):
    found = keeper(start, count, size, attempts=100)
    draws = np.zeros(count, np.int64)
    while batches := found.batches():
        assert len(batches) <= -(-count // size) + 1
        for batch in batches:
            draws[batch.places] += 1
            verdicts = np.array([random.choice([0, 0, 1, 2]) for _ in batch.places])
            assert found.take(made(batch, verdicts), ("blurred", "copy")) == (verdicts == 0).sum()
    drawn = found.drawn((1, 1, 1))
    assert np.array_equal(drawn.attempts, draws - 1)
    seeds = 10**6 + (draws - 1) * 1000 + start + np.arange(count)
    assert np.array_equal(drawn.shard.seeds, seeds)
    assert drawn.shard.payloads == [b"%d" % seed for seed in seeds]
    assert drawn.shard.digests == [b"#%d" % seed for seed in seeds]
    assert sum(drawn.asked.values()) == draws.sum()
    assert sum(sum(each.values()) for each in drawn.rejected.values()) == draws.sum() - count
    assert set(drawn.rejected) <= {"blurred", "copy"}


def test_a_row_that_is_never_kept_names_its_class_and_the_reason():
    found = keeper(0, 4, 4, attempts=3)
    for attempt in range(3):
        for batch in found.batches():
            reason = 1 if attempt == 1 else 2
            found.take(made(batch, np.where(batch.labels == 1, reason, 0)), ("blurred", "copy"))
    with pytest.raises(ReleaseError, match=r"class «dog» was rejected 3 times, mostly as copy: select less strictly"):
        found.batches()


def test_duplicates_are_drawn_again_beside_what_stays():
    first = keeper(20, 10, 4)
    for batch in first.batches():
        first.take(made(batch, np.zeros(len(batch.places), np.int64)), ())
    earlier = first.drawn((1, 1, 1))
    again = Keeper(first.recipe, Block.again(20, earlier, np.array([3, 7])))
    (batch,) = again.batches()
    assert batch.places.tolist() == [3, 7]
    assert batch.slots.tolist() == [0, 1]
    again.take(made(batch, np.array([0, 1])), ("blurred",))
    (batch,) = again.batches()
    again.take(made(batch, np.array([0])), ("blurred",))
    drawn = again.drawn((1, 1, 1))
    assert drawn.attempts.tolist() == [0, 0, 0, 1, 0, 0, 0, 2, 0, 0]
    same = [place for place in range(10) if place not in (3, 7)]
    assert [drawn.shard.payloads[place] for place in same] == [earlier.shard.payloads[place] for place in same]
    assert drawn.shard.payloads[7] == b"%d" % (10**6 + 2 * 1000 + 27)
    assert drawn.asked == {0: 5, 1: 8}
    assert drawn.rejected == {"blurred": {1: 1}, "duplicate": {1: 2}}


def test_duplicates_without_end_are_an_error_too():
    first = keeper(0, 2, 2, attempts=1)
    for batch in first.batches():
        first.take(made(batch, np.zeros(2, np.int64)), ())
    with pytest.raises(ReleaseError, match=r"class «cat» was rejected 1 times, mostly as duplicate"):
        Keeper(first.recipe, Block.again(0, first.drawn((1, 1, 1)), np.array([0]))).batches()
