"""The chain as a picture."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.lineage.lines import Link
from tasks.lineage.picture import _ASKED, MOST_BOXES, chain_png


def link(depth, name="abc", asked=False):
    return Link(depth, "release", name, ("said",), None, asked)


def pixels(chain):
    return np.asarray(Image.open(io.BytesIO(chain_png(chain))).convert("RGB"))


def test_each_thing_has_a_row_and_each_depth_a_column():
    one, two, deep = (pixels([link(depth) for depth in depths]) for depths in ([0], [0, 0], [0, 1]))
    assert two.shape[0] > one.shape[0]
    assert two.shape[1] == one.shape[1]
    assert deep.shape[0] == two.shape[0]
    assert deep.shape[1] > two.shape[1]


def test_what_was_asked_for_stands_out():
    colour = [int(_ASKED[place : place + 2], 16) for place in (1, 3, 5)]
    asked, not_asked = (pixels([link(0), link(1, asked=asked)]) for asked in (True, False))
    assert (asked == colour).all(axis=2).any()
    assert not (not_asked == colour).all(axis=2).any()


def test_a_thing_hangs_on_what_it_was_made_from():
    """Without the lines the two pictures would differ in the place of one box alone."""
    child, sibling = pixels([link(0), link(1), link(1)]), pixels([link(0), link(1), link(2)])
    left = slice(0, 60)  # the trunk below the first box
    assert (child[:, left] != sibling[:, left]).any()


def test_a_long_chain_is_cut():
    many = [link(0)] * (MOST_BOXES + 5)
    assert pixels(many).shape == pixels(many[:MOST_BOXES]).shape


def test_a_chain_of_nothing_is_a_blank_sheet():
    assert (pixels([]) == 255).all()


@given(st.lists(st.tuples(st.integers(0, 6), st.text(max_size=40)), max_size=6))
def test_any_name_at_any_depth_is_drawn(things):
    assert pixels([link(depth, name) for depth, name in things]).ndim == 3
