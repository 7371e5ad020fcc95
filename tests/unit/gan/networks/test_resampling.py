"""Resampling is an explicit convolution with (1, 3, 3, 1) / 8, inside and at the edges."""

import pytest
import torch

from gan.networks.resampling import TAPS, Downsample2, Upsample2

KERNEL = [tap / 8 for tap in (1, 3, 3, 1)]


def up_row(row, beyond):
    """Zeros between the values of a row, then the kernel at twice its weight; `beyond` gives values outside."""
    values = [beyond(row, -1), *row, beyond(row, len(row))]
    spread = [0.0] * (2 * len(values))
    spread[::2] = values
    found = [2 * sum(KERNEL[tap] * spread[i + tap] for tap in range(4)) for i in range(2 * len(row))]
    return torch.tensor(found)


def down_row(row):
    padded = [0.0, *row, 0.0]
    return torch.tensor([sum(KERNEL[tap] * padded[2 * i + tap] for tap in range(4)) for i in range(len(row) // 2)])


def nearest(row, index):
    return row[min(max(index, 0), len(row) - 1)]


def zero(row, index):
    return 0.0


def downsample2(x):
    return Downsample2()(x)


def upsample2(x, beyond="edges"):
    return Upsample2(x.shape[-1], beyond)(x)


def both_ways(image, each_row):
    """Apply a map of rows to the rows and then to the columns of [H, W]."""
    rows = torch.stack([each_row(row) for row in image.tolist()])
    return torch.stack([each_row(column) for column in rows.T.tolist()]).T


def test_the_taps():
    assert TAPS == (1.0, 3.0, 3.0, 1.0)


@pytest.mark.parametrize(("beyond", "outside"), [("edges", nearest), ("zeros", zero)])
@pytest.mark.parametrize("side", [1, 2, 4, 7])
def test_upsampling(side, beyond, outside):
    images = torch.randn(2, 3, side, side)
    found = upsample2(images, beyond)
    for image, result in zip(images.flatten(0, 1), found.flatten(0, 1), strict=True):
        torch.testing.assert_close(result, both_ways(image, lambda row: up_row(row, outside)), rtol=1e-5, atol=1e-6)


def test_published_upsampling_is_four_times_the_adjoint_of_downsampling():
    small, large = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 8, 8)
    doubled, halved = upsample2(small, "zeros"), downsample2(large)
    torch.testing.assert_close((doubled * large).sum(), 4 * (small * halved).sum(), rtol=1e-4, atol=1e-4)


def test_no_weight_nor_state_is_theirs():
    for module in (Downsample2(), Upsample2(4, "zeros"), Upsample2(4, "edges")):
        assert not module.state_dict()
        assert not list(module.parameters())


@pytest.mark.parametrize("shape", [(4, 4), (14, 14), (2, 2), (2, 6)])
def test_downsampling(shape):
    images = torch.randn(2, 3, *shape)
    found = downsample2(images)
    assert found.shape == (2, 3, shape[0] // 2, shape[1] // 2)
    for image, result in zip(images.flatten(0, 1), found.flatten(0, 1), strict=True):
        torch.testing.assert_close(result, both_ways(image, down_row), rtol=1e-5, atol=1e-6)


def test_rows_by_hand():
    row = torch.tensor([0.0, 4.0, 8.0]).view(1, 1, 1, 3).expand(1, 1, 3, 3)
    assert upsample2(row)[0, 0].tolist() == [[0.0, 1.0, 3.0, 5.0, 7.0, 8.0]] * 6
    assert upsample2(row, "zeros")[0, 0, 2].tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 6.0]
    # (3 + 3 * 3 + 5) / 8 inside, (3 * 1 + 3 * 3 + 5) / 8 beside the edge; both rows of two lie beside an edge: 6 / 8
    row = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(1, 1, 1, 4).expand(1, 1, 2, 4)
    wanted = [[0.75 * (3 * 1 + 3 * 3 + 5) / 8, 0.75 * (3 + 3 * 5 + 3 * 7) / 8]]
    assert downsample2(row)[0, 0].tolist() == wanted


def test_a_flat_image_stays_flat_inside():
    flat = torch.ones(1, 2, 8, 8)
    assert torch.equal(upsample2(flat), torch.ones(1, 2, 16, 16))
    torch.testing.assert_close(downsample2(flat)[:, :, 1:-1, 1:-1], torch.ones(1, 2, 2, 2))


@pytest.mark.parametrize("resample", [upsample2, downsample2])
def test_bf16_comes_back_as_bf16(resample):
    images = torch.randn(2, 3, 4, 4)
    found = resample(images.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), resample(images), rtol=0.02, atol=0.02)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert resample(images).dtype == torch.float32


@pytest.mark.parametrize(("resample", "side"), [(upsample2, 8), (downsample2, 2)])
def test_both_derivatives_are_those_of_a_linear_map(resample, side):
    x, other = torch.randn(2, 2, 3, 4, 4).requires_grad_(True).unbind()
    weights = torch.randn(2, 3, side, side, requires_grad=True)
    (by_x,) = torch.autograd.grad((resample(x) * weights).sum(), x, create_graph=True)
    torch.testing.assert_close((by_x * other).sum(), (weights * resample(other)).sum(), rtol=1e-4, atol=1e-4)
    (by_weights,) = torch.autograd.grad((by_x * other.detach()).sum(), weights)
    torch.testing.assert_close(by_weights, resample(other.detach()), rtol=1e-4, atol=1e-5)
