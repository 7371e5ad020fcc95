"""The residual block's start and the resampling kernels."""

import pytest
import torch
from torch import nn

from gan.networks.blocks import LEAKY_GAIN, BiasedActivation, ResidualBlock, downsample2, init_conv, upsample2


def test_init_conv():
    torch.manual_seed(0)
    conv = init_conv(nn.Conv2d(64, 128, 3, groups=2, bias=False), 1.5)
    assert conv.weight.std().item() == pytest.approx(1.5 / (32 * 9) ** 0.5, rel=0.03)
    assert abs(conv.weight.mean().item()) < 1e-3
    assert init_conv(nn.Conv2d(4, 4, 1), 0.0).weight.abs().max() == 0


@pytest.mark.parametrize("depth", [1, 16])
def test_the_start_of_a_residual_block(depth):
    torch.manual_seed(0)
    block = ResidualBlock(channels=64, expansion=2, group_width=32, depth=depth)
    assert pytest.approx((2 / 1.04) ** 0.5) == LEAKY_GAIN
    gain = LEAKY_GAIN * depth**-0.25
    assert block.conv1.weight.shape == (128, 64, 1, 1)
    assert block.conv2.weight.shape == (128, 32, 3, 3)
    assert block.conv3.weight.shape == (64, 128, 1, 1)
    assert block.conv1.weight.std().item() == pytest.approx(gain / 64**0.5, rel=0.03)
    assert block.conv2.weight.std().item() == pytest.approx(gain / (32 * 9) ** 0.5, rel=0.03)
    assert block.conv3.weight.abs().max() == 0
    assert block.conv1.bias is block.conv2.bias is block.conv3.bias is None
    x = torch.randn(2, 64, 4, 4)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.conv3.weight.grad.abs().max() > 0


def test_a_residual_block_by_hand():
    block = ResidualBlock(channels=1, expansion=1, group_width=1, depth=1)
    for conv, value in ((block.conv1, 2.0), (block.conv2, 1.0), (block.conv3, 0.5)):
        nn.init.constant_(conv.weight, value)
    nn.init.constant_(block.act1.bias, -1.0)
    # 2 * [1, -1] - 1 = [1, -3] -> leaky [1, -0.6]; the 3x3 sums both: 0.4; half of it is added.
    found = block(torch.tensor([[[[1.0, -1.0]]]]))
    torch.testing.assert_close(found, torch.tensor([[[[1.2, -0.8]]]]))


def test_the_biased_activation_has_a_bias_per_channel():
    activation = BiasedActivation(2)
    with torch.no_grad():
        activation.bias.copy_(torch.tensor([1.0, -1.0]))
    found = activation(torch.tensor([[[[1.0]], [[-1.0]]]]))
    torch.testing.assert_close(found, torch.tensor([[[[2.0]], [[-0.4]]]]))


def test_upsampling_is_the_1_3_3_1_kernel():
    row = torch.tensor([0.0, 4.0, 8.0])
    found = upsample2(row.view(1, 1, 1, 3).expand(1, 1, 2, 3))
    assert found.shape == (1, 1, 4, 6)
    assert found[0, 0].tolist() == [[0.0, 1.0, 3.0, 5.0, 7.0, 8.0]] * 4
    assert torch.equal(upsample2(row.view(1, 1, 3, 1).expand(1, 1, 3, 2))[0, 0, :, 0], found[0, 0, 0])


def test_downsampling_is_the_mean_of_four():
    x = torch.tensor([[1.0, 3.0, 0.0, 0.0], [5.0, 7.0, 0.0, 8.0]]).view(1, 1, 2, 4)
    assert downsample2(x).tolist() == [[[[4.0, 2.0]]]]
