"""How weights begin: spread by fan-in, biases at zero."""

import math

import pytest
import torch
from torch import nn

from gan.networks.initialisation import LEAKY_GAIN, he_normal, small_normal


def test_the_gain_of_a_leaky_relu_of_slope_a_fifth():
    assert pytest.approx(math.sqrt(2 / 1.04)) == LEAKY_GAIN
    # it keeps the second moment: of a normal x, the mean of leaky(gain * x)^2 is 1
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    assert torch.nn.functional.leaky_relu(LEAKY_GAIN * x, 0.2).square().mean().item() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Conv2d(64, 128, 3, groups=2, bias=False), 32 * 9),
        (nn.Conv2d(64, 128, 1), 64),
        (nn.Conv2d(512, 512, 4, groups=512), 16),
        (nn.Linear(96, 128), 96),
    ],
)
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_he_normal(layer, fan_in, gain):
    torch.manual_seed(0)
    if layer.bias is not None:
        nn.init.constant_(layer.bias, 7.0)
    assert he_normal(layer, gain) is layer
    weight = layer.weight.flatten()
    std = gain / math.sqrt(fan_in)
    assert weight.std().item() == pytest.approx(std, rel=4 / math.sqrt(2 * len(weight)))
    assert abs(weight.mean().item()) < 4 * std / math.sqrt(len(weight))
    assert layer.bias is None or layer.bias.abs().max() == 0


def test_he_normal_of_gain_0_is_zero():
    assert he_normal(nn.Conv2d(4, 4, 1), 0.0).weight.abs().max() == 0


@pytest.mark.parametrize(
    ("layer", "mean"),
    [
        (nn.Conv2d(32, 64, 4), 0.0),
        (nn.ConvTranspose2d(32, 64, 4), 0.0),
        (nn.Linear(200, 100), 0.0),
        (nn.BatchNorm2d(20_000), 1.0),
    ],
)
def test_small_normal(layer, mean):
    torch.manual_seed(0)
    nn.init.constant_(layer.bias, 7.0)
    small_normal(layer)
    weight = layer.weight.flatten()
    assert weight.std().item() == pytest.approx(0.02, rel=4 / math.sqrt(2 * len(weight)))
    assert weight.mean().item() == pytest.approx(mean, abs=4 * 0.02 / math.sqrt(len(weight)))
    assert layer.bias.abs().max() == 0


def test_small_normal_takes_layers_without_bias_and_leaves_embeddings_alone():
    small_normal(nn.Conv2d(2, 2, 1, bias=False))
    embedding = nn.Embedding(3, 4)
    before = embedding.weight.clone()
    small_normal(embedding)
    assert torch.equal(embedding.weight, before)
