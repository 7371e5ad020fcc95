"""Who is held out follows from an image's own pixels and the share alone."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gan.data.building.split import held_out, split_key, with_fewest


def test_the_key_is_the_hash_of_shape_and_pixels():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert split_key(pixels) == int(hashlib.sha256(b"(2, 2, 3)" + pixels.tobytes()).hexdigest()[:16], 16)
    turned = np.ascontiguousarray(pixels.transpose(1, 0, 2))
    assert split_key(pixels.transpose(1, 0, 2)) == split_key(turned)  # however they lie in memory
    black = np.zeros((2, 8, 1), np.uint8)
    assert split_key(black) != split_key(black.reshape(4, 4, 1))


def test_an_image_is_held_out_where_its_key_is_below_the_share():
    keys = np.array([0, 2**62 - 1, 2**62, 2**64 - 1], np.uint64)
    assert held_out(keys, 0.25).tolist() == [True, True, False, False]
    assert held_out(keys, 1 - 2**-53).tolist() == [True, True, True, False]


@given(keys=st.lists(st.integers(0, 2**64 - 1), min_size=1), share=st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_no_other_image_has_a_say_and_a_larger_share_keeps_who_is_out(keys, share):
    together = held_out(np.array(keys, np.uint64), share)
    assert together.tolist() == [held_out(np.array([key], np.uint64), share).item() for key in keys]
    assert not (held_out(np.array(keys, np.uint64), share / 2) & ~together).any()


def test_the_share_is_met():
    keys = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64, endpoint=False)
    assert abs(held_out(keys, 0.1).mean() - 0.1) < 0.004  # four standard deviations


@given(
    rows=st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(-1, 2), st.booleans(), st.booleans()), max_size=30),
    least=st.integers(1, 3),
)
def test_a_split_that_chance_left_too_small_gets_the_images_of_the_next_keys(rows, least):
    rows = list({row[0]: row for row in rows}.values())
    keys = np.array([row[0] for row in rows], np.uint64)
    labels = np.array([row[1] for row in rows], np.int64)
    kept, out = (np.array([row[at] for row in rows], bool) for at in (2, 3))
    found = with_fewest(keys, labels, kept, out, 2, least)
    train, test = int((kept & ~out).sum()), int((kept & out).sum())
    if min(train, test) >= 2 or train + test < 4:
        assert found is None  # what was large enough stays as it was
    elif found is not None:
        assert min(int((kept & ~found).sum()), int((kept & found).sum())) <= 2
        assert (kept & (found != out)).sum() <= 2
        assert (found >= out).all() or (found <= out).all()
        for label in range(3):
            before, after = (int((kept & ~each & (labels == label)).sum()) for each in (out, found))
            assert after >= min(before, least)
        if test < 2 and not (labels[kept] >= 0).any():
            assert (kept & found).sum() == 2
            assert keys[kept & found].max() <= keys[kept & ~found].min() or test
