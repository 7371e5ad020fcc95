"""Rows and the images that they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data.sources.labels.matching import match_rows


@pytest.mark.parametrize(
    ("rows", "images", "places", "found"),
    [
        (["a/1.png"], ["a/1.png"], [""], {"a/1.png": "a/1.png"}),
        (["1.png"], ["a/1.png", "b/1.png"], ["", "a/"], {"1.png": "a/1.png"}),
        (["1.png"], ["a/1.png", "b/1.png"], [""], {}),
        (["1.png"], ["1.png", "a/1.png"], ["", "a/"], {}),  # it fits both
        (["b/1.png"], ["a/b/1.png", "a/c/1.png"], [""], {"b/1.png": "a/b/1.png"}),
        (["1.jpg"], ["1.png"], [""], {"1.jpg": "1.png"}),
        (["1.jpg", "1.png"], ["1.png"], [""], {"1.png": "1.png"}),
        (["1.a", "1.b"], ["1.a.png", "1.b.png"], [""], {"1.a": "1.a.png", "1.b": "1.b.png"}),
        (["x/1.png", "x/2.png"], ["1.png", "2.png"], [""], {"x/1.png": "1.png", "x/2.png": "2.png"}),
        (["x/1.png", "y/2.png"], ["1.png", "2.png"], [""], {}),
        (["x/1.png", "set/2.png"], ["1.png", "2.png"], [""], {"set/2.png": "2.png"}),  # the source is called set
        (["train/1.png"], ["1.png"], [""], {}),
        (["A.png"], ["a.png"], [""], {}),
    ],
)
def test_rows_name_images(rows, images, places, found):
    assert match_rows(rows, images, places, "set") == found


PATHS = st.lists(
    st.lists(
        st.sampled_from(["a", "b", "train", "1.png", "2.PNG", "2.png", "2", " 1.png"]), min_size=1, max_size=3
    ).map("/".join),
    max_size=8,
    unique=True,
)


@given(PATHS, PATHS, st.lists(st.sampled_from(["", "a/", "a/b/"]), min_size=1))
def test_no_image_is_named_twice_and_whole_paths_go_first(rows, images, places):
    found = match_rows(rows, images, places, "a")
    assert len(set(found.values())) <= len(found) == len([row for row in rows if row in found])
    assert set(found.values()) <= set(images)
    for row, image in found.items():
        fits = {place + row for place in places if place + row in images}
        assert fits in ({image}, set())
    taken = list(found.values())
    exact = {image for row, image in found.items() if any(place + row == image for place in places)}
    assert all(taken.count(image) == 1 for image in set(taken) - exact)
