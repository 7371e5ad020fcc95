"""Several looks make one, counts add up over blocks, and what selecting costs is seen."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.release.selection import Looks, Tally, coverage_lost


class Dark:
    """Rejects images by their first pixel: 0 is too dark, 255 too bright."""

    reasons = ("too dark", "too bright")

    def __call__(self, images, labels):
        first = images[:, 0, 0, 0]
        return np.where(first == 0, 1, np.where(first == 255, 2, 0))


class Odd:
    reasons = ("odd class",)

    def __init__(self):
        self.seen = 0

    def __call__(self, images, labels):
        self.seen += len(images)
        return labels % 2


def images(first):
    return np.array(first, np.uint8)[:, None, None, None]


def test_the_first_look_that_rejects_says_why_and_later_ones_do_not_see_the_image():
    odd = Odd()
    looks = Looks([Dark(), odd])
    assert looks.reasons == ("too dark", "too bright", "odd class")
    assert looks(images([0, 9, 255, 9]), np.array([1, 1, 1, 0])).tolist() == [1, 3, 2, 0]
    assert odd.seen == 2


def test_no_look_keeps_everything():
    assert Looks([])(images([0, 255]), np.array([0, 0])).tolist() == [0, 0]


def test_reasons_that_are_the_same_are_refused():
    with pytest.raises(ValueError, match="told apart"):
        Looks([Odd(), Odd()])


def test_counts_by_reason_and_class():
    labels = np.array([0, 0, 0, 1, 1, 2])
    tally = Tally.of(np.array([0, 1, 1, 0, 2, 0]), labels, ("dark", "copy", "never"))
    assert tally.drawn == {0: 3, 1: 2, 2: 1}
    assert tally.rejected == {"dark": {0: 2}, "copy": {1: 1}}
    assert tally.num_rejected == {"dark": 2, "copy": 1}
    assert tally.kept == {0: 1, 1: 1, 2: 1}
    assert tally.share_kept == 0.5
    assert tally.worst_class() == (0, pytest.approx(1 / 3))


def test_nothing_drawn():
    assert Tally().share_kept == 1.0
    assert Tally().worst_class() is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 3)), max_size=60), st.data())
def test_blocks_add_up_to_the_whole(rows, data):
    verdicts, labels = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    total = Tally()
    for start, end in pairwise([0, *cuts, len(rows)]):
        total += Tally.of(verdicts[start:end], labels[start:end], ("a", "b"))
    whole = Tally.of(verdicts, labels, ("a", "b"))
    assert (total.drawn, total.rejected) == (whole.drawn, whole.rejected)
    assert sum(total.kept.values()) + sum(total.num_rejected.values()) == len(rows)


@pytest.mark.parametrize(("verdicts", "labels"), [([3], [0]), ([-1], [0]), ([0, 0], [0])])
def test_verdicts_without_a_reason_are_refused(verdicts, labels):
    with pytest.raises(ValueError, match="verdicts"):
        Tally.of(np.array(verdicts), np.array(labels), ("a", "b"))


def test_selecting_the_middle_costs_coverage_and_selecting_at_random_none():
    rng = np.random.default_rng(0)
    drawn, real = rng.standard_normal((2, 800, 3))
    random = coverage_lost(drawn, rng.random(800) < 0.5, real)
    assert not random.beyond_chance
    assert abs(random.coverage) < 0.1
    middle = coverage_lost(drawn, np.linalg.norm(drawn, axis=1) < 1.3, real)
    assert middle.beyond_chance
    assert middle.coverage > 0.2
    assert middle.recall > 0.2
    assert middle.num_images == int((np.linalg.norm(drawn, axis=1) < 1.3).sum())
