"""Which image of a sample is meant."""

import pytest

from gan.data.sources.main_image import choose
from gan.errors import DatasetError


def first(*samples):
    """The image of each sample, and which endings are left out as companions."""
    choice = choose(samples, "the set")
    return [min(sample, key=choice.order) for sample in samples], choice.companions


@pytest.mark.parametrize(
    ("endings", "meant"),
    [
        (("depth.png", "jpg"), "jpg"),
        (("jpg", "seg.png"), "jpg"),
        (("png", "jpg"), "jpg"),
        (("0.depth_map.png", "image.png"), "image.png"),
        (("mask.png", "normal.png", "rgb.png"), "rgb.png"),
        (("left.png", "png"), "png"),
        (("thumbnail.jpg", "jpg"), "jpg"),
    ],
)
def test_of_usual_images_the_plain_one_is_meant_and_the_others_are_companions(endings, meant):
    found, companions = first(*[endings] * 5)
    assert found == [meant] * 5
    assert companions == set(endings) - {meant}


def test_images_of_one_ending_have_no_companions():
    for ending in ("jpg", "seg.png", "image.png", "0.jpg"):
        assert first(*[(ending,)] * 3) == ([ending] * 3, frozenset())
    assert choose([], "the set").companions == frozenset()
    assert choose([()], "the set").companions == frozenset()


def test_what_few_samples_have_is_no_companion_unless_it_says_so():
    found, companions = first(*[("png",)] * 5, ("jpg", "png"), ("mask.png", "png"))
    assert (found[5:], companions) == (["jpg", "png"], {"mask.png"})


def test_endings_that_are_all_different_are_taken_as_they_are():
    assert first(("1.jpg",), ("2.jpg",), ("3.jpg",)) == (["1.jpg", "2.jpg", "3.jpg"], frozenset())


@pytest.mark.parametrize(
    "endings", [("left.jpg", "right.jpg"), ("left.jpg", "right.png"), ("jpg", "webp"), ("depth.png", "seg.png")]
)
def test_usual_images_that_nothing_tells_apart_are_asked_about(endings):
    with pytest.raises(DatasetError, match=rf"the set have several images each \({', '.join(endings)}\).*pack them"):
        choose([endings] * 3, "the set")
