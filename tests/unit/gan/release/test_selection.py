"""Several looks make one, and what selecting costs is seen."""

import json

import numpy as np
import pytest

from gan.release.selection import Looks, coverage_lost


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


def test_selecting_the_middle_costs_coverage_and_selecting_at_random_none():
    rng = np.random.default_rng(0)
    first, other, real = rng.standard_normal((3, 800, 3))
    random = coverage_lost(first, np.where(rng.random(800)[:, None] < 0.5, first, other), real)
    assert not random.beyond_chance
    assert abs(random.coverage) < 0.1
    many = rng.standard_normal((4000, 3))
    middle = coverage_lost(first, many[np.linalg.norm(many, axis=1) < 1.3][:800], real)
    assert middle.beyond_chance
    assert middle.coverage > 0.2
    assert middle.recall > 0.2
    assert middle.num_images == 800
    told = json.loads(json.dumps(middle.stated()))
    assert told["coverage_drawn"]["value"] - told["coverage_kept"]["value"] == middle.coverage
    assert told["beyond_chance"]


def test_where_nothing_was_rejected_nothing_is_lost():
    first, real = np.random.default_rng(0).standard_normal((2, 100, 3))
    found = coverage_lost(first, first, real)
    assert (found.coverage, found.recall, found.beyond_chance) == (0.0, 0.0, False)
    with pytest.raises(ValueError, match="100 images were drawn and 99 kept"):
        coverage_lost(first, first[1:], real)
