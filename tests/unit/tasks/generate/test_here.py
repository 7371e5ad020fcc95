"""Blocks drawn in this process."""

from contextlib import closing

import numpy as np
import pytest
import torch

from gan.release.recipe import Block, Recipe
from tasks.generate.here import Here

RECIPE = Recipe(30, 0, 4, ("a", "b"), 3)


def program(rows):
    return rows[:, :1, None, None].expand(-1, 4, 4, 1).to(torch.uint8)


def blocks():
    return (Block.fresh(index, 10 * index, np.arange(10) % 2) for index in range(3))


def test_blocks_come_in_order_and_rows_are_told():
    told = []
    found = list(Here(program).draw(RECIPE, blocks(), told.append, 30))
    assert [packed.index for packed in found] == [0, 1, 2]
    assert told[0] == 0
    assert sum(told) == 30


def test_no_blocks_are_no_work():
    assert list(Here(program).draw(RECIPE, iter(()), lambda count: None, 30)) == []


def test_no_more_is_drawn_than_one_block_ahead():
    taken = []

    def counted():
        for block in blocks():
            taken.append(block.index)
            yield block

    with closing(Here(program).draw(RECIPE, counted(), lambda count: None, 30)) as parcels:
        next(parcels)
        assert taken == [0, 1]


def test_a_program_that_fails_says_so():
    def broken(rows):
        if len(rows) > 1 and rows[0, 0] >= 10:
            raise RuntimeError("out of memory")
        return program(rows)

    with pytest.raises(RuntimeError, match="out of memory"):
        list(Here(broken).draw(RECIPE, blocks(), lambda count: None, 30))
