"""The residual block: its start, and its value by hand."""

import math

import pytest
import torch
from torch import nn

from gan.networks.initialisation import LEAKY_GAIN
from gan.networks.residual import ResidualBlock, stage


@pytest.mark.parametrize("depth", [1, 16])
def test_the_start_of_a_residual_block(depth):
    torch.manual_seed(0)
    block = ResidualBlock(channels=64, expansion=2, group_width=32, depth=depth)
    gain = LEAKY_GAIN * depth**-0.25
    assert block.conv1.weight.shape == (128, 64, 1, 1)
    assert block.conv2.weight.shape == (128, 32, 3, 3)
    assert block.conv3.weight.shape == (64, 128, 1, 1)
    for conv, fan_in in ((block.conv1, 64), (block.conv2, 32 * 9)):
        wanted = pytest.approx(gain / math.sqrt(fan_in), rel=4 / math.sqrt(2 * conv.weight.numel()))
        assert conv.weight.std().item() == wanted
        assert conv.bias.abs().max() == 0
    assert block.conv3.weight.abs().max() == 0
    assert block.conv3.bias is None


def test_it_begins_as_the_identity_and_can_leave_it():
    block = ResidualBlock(channels=8, expansion=1, group_width=4, depth=3)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.conv3.weight.grad.abs().max() > 0


@pytest.mark.parametrize(("group_width", "groups"), [(4, 4), (8, 2), (16, 1), (17, 1), (10_000, 1)])
def test_a_group_as_wide_as_the_block_is_dense(group_width, groups):
    assert ResidualBlock(channels=8, expansion=2, group_width=group_width, depth=1).conv2.groups == groups


def test_a_residual_block_by_hand():
    block = ResidualBlock(channels=1, expansion=1, group_width=1, depth=1)
    for conv, value in ((block.conv1, 2.0), (block.conv2, 1.0), (block.conv3, 0.5)):
        nn.init.constant_(conv.weight, value)
    nn.init.constant_(block.conv1.bias, -1.0)
    nn.init.constant_(block.conv2.bias, -0.9)
    # 2 * [1, -1] - 1 = [1, -3] -> leaky [1, -0.6]; the 3x3 sums both: 0.4 - 0.9 = -0.5 -> leaky -0.1; half is added.
    found = block(torch.tensor([[[[1.0, -1.0]]]]))
    torch.testing.assert_close(found, torch.tensor([[[[0.95, -1.05]]]]))


def test_a_stage_is_so_many_blocks():
    made = stage(8, 3, expansion=2, group_width=4, depth=5)
    assert [type(block) for block in made] == [ResidualBlock] * 3
    assert made(torch.randn(2, 8, 4, 4)).shape == (2, 8, 4, 4)
