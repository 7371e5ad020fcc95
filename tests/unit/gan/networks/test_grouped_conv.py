"""The grouped convolution of our own is PyTorch's, in its value and in both orders of gradients."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gan.networks.grouped_conv import GroupedConv2d, grouped_conv2d

GEOMETRIES = [
    {"stride": 1, "padding": 1, "groups": 2},
    {"stride": 1, "padding": 0, "groups": 4},
    {"stride": 2, "padding": 1, "groups": 2},
    {"stride": 2, "padding": 1, "groups": 4},
    {"stride": 1, "padding": 1, "groups": 1},
]


def inputs(groups, *, side=6, kernel=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, side, side, generator=generator, dtype=dtype)
    weight = torch.randn(8, 4 // groups, kernel, kernel, generator=generator, dtype=dtype)
    return x.requires_grad_(True), weight.requires_grad_(True)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("channels_last", [False, True])
def test_value_gradients_and_gradients_of_gradients(geometry, channels_last):
    x, weight = inputs(geometry["groups"])
    if channels_last:
        x, weight = (
            part.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True) for part in (x, weight)
        )
    found = []
    for conv in (F.conv2d, grouped_conv2d):
        y = conv(x, weight, **geometry)
        by_x, by_weight = torch.autograd.grad(y.square().sum(), [x, weight], create_graph=True)
        penalty = by_x.square().sum() + by_weight.square().sum()
        found.append([y, by_x, by_weight, *torch.autograd.grad(penalty, [x, weight])])
    for wanted, other in zip(*found, strict=True):
        torch.testing.assert_close(other, wanted, rtol=1e-4, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_gradients_against_differences(geometry):
    x, weight = inputs(geometry["groups"], side=4, dtype=torch.float64)

    def conv(x, weight):
        return grouped_conv2d(x, weight, **geometry)

    assert torch.autograd.gradcheck(conv, (x, weight), fast_mode=True)
    assert torch.autograd.gradgradcheck(conv, (x, weight), fast_mode=True)


def test_one_side_may_need_no_gradient():
    x, weight = inputs(2)
    for wanted in ((x,), (weight,)):
        others = [part if any(part is each for each in wanted) else part.detach() for part in (x, weight)]
        found = [
            torch.autograd.grad(conv(*others, groups=2).square().sum(), wanted) for conv in (F.conv2d, grouped_conv2d)
        ]
        torch.testing.assert_close(found[1], found[0])


def test_autocast_computes_in_bf16_with_gradients_in_fp32():
    x, weight = inputs(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = grouped_conv2d(x, weight, groups=2)
    assert y.dtype == torch.bfloat16
    by_x, by_weight = torch.autograd.grad(y.float().square().sum(), [x, weight])
    assert (by_x.dtype, by_weight.dtype) == (torch.float32, torch.float32)
    wanted = torch.autograd.grad(F.conv2d(x, weight, groups=2).square().sum(), [x, weight])
    for rounded, exact in zip((by_x, by_weight), wanted, strict=True):
        assert ((rounded - exact).norm() / exact.norm()).item() < 0.02


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("bias", [False, True])
def test_the_layer_is_pytorchs(groups, bias):
    torch.manual_seed(0)
    layer = GroupedConv2d(4, 3, groups=groups, padding=1, bias=bias)
    plain = nn.Conv2d(4, 4, 3, groups=groups, padding=1, bias=bias)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(layer(x), plain(x))
    with torch.no_grad():
        torch.testing.assert_close(layer(x), plain(x))
    for found, wanted in zip(
        torch.autograd.grad(layer(x).square().sum(), list(layer.parameters())),
        torch.autograd.grad(plain(x).square().sum(), list(plain.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_an_empty_batch():
    x, weight = inputs(2)
    y = grouped_conv2d(x[:0], weight, groups=2, padding=1)
    assert y.shape == (0, 8, 6, 6)
    (by_weight,) = torch.autograd.grad(y.sum(), weight)
    assert by_weight.abs().max() == 0
