"""Recipes and blocks."""

import numpy as np
import pytest

from gan.release.recipe import Block, Drawn, Recipe, Selection
from gan.release.shard import Shard


def test_only_what_may_draw_a_row_twice_rejects():
    assert not Selection().rejects
    assert Selection(make_look=lambda: None).rejects
    assert Selection(duplicates=lambda prints, again: []).rejects


@pytest.mark.parametrize(("label", "name"), [(0, "cat"), (1, "dog"), (-1, "unlabelled")])
def test_classes_have_a_name_in_sentences(label, name):
    assert Recipe(2, 0, 1, ("cat", "dog"), 1).class_name(label) == name


def test_a_fresh_block_is_drawn_whole():
    block = Block.fresh(3, 50, np.array([1, 0, 1]))
    assert (block.index, block.start, block.earlier) == (3, 50, None)
    assert block.pending.tolist() == [0, 1, 2]
    assert block.attempts.tolist() == [0, 0, 0]


def test_a_block_again_begins_behind_the_attempt_that_was_kept():
    labels = np.array([1, 0, 1])
    shard = Shard(2, 4, (1, 1, 1), ("a", "b"), [b""] * 3, [b""] * 3, np.arange(3), labels)
    earlier = Drawn(shard, np.array([0, 4, 1]), {}, {}, None)
    block = Block.again(50, earlier, np.array([1]))
    assert (block.index, block.labels.tolist()) == (2, [1, 0, 1])
    assert block.attempts.tolist() == [0, 5, 1]
    assert earlier.attempts.tolist() == [0, 4, 1]
