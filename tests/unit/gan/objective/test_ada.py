"""ADA's pipe gives the pictures of its authors' code for the same parameters, and gradients of any order.

The numbers are facts: what `training/augment.py` of R3GAN's code, which is ADA's with cutout, printed once.
"""

import math

import pytest
import torch
from torch.nn import functional as F

from gan.objective import ada
from gan.objective.ada import COLOUR_NUMBERS, GEOMETRY_NUMBERS, colours, geometry, resample, sampled


def pictures():
    return torch.sin(torch.arange(2 * 3 * 16 * 16) * 0.37).view(2, 3, 16, 16)


def as_debugged(q):
    """What gives the parameters that the authors' code takes for its `debug_percentile`."""
    z = torch.erfinv(torch.tensor(2.0 * q - 1.0, dtype=torch.float64))
    n = float((1.0 + torch.erf(z / math.sqrt(2.0))) / 2.0)  # there a normal number is the erfinv alone
    of_geometry = [0, q, 0, q, 0, q, q, 0, n, 0, q, 0, n, 0, 0.5, 0, n, n]
    of_colours = [0, n, 0, n, 0, q, 0, q, 0, n]
    return (torch.tensor([each] * 2, dtype=torch.float32) for each in (of_geometry, of_colours))


GEOMETRY = {
    0.3: """0.48087 -0.93061 0.90941 0.82043 -0.99244 0.78158 0.96364 -0.91649 -0.8471 0.98953 -0.75545 -0.9726 0.89726
    0.97072 -0.97607 0.69855""",
    0.8: """-0.73855 -0.50945 0.92038 -0.9177 0.58966 0.6564 0.02648 0.96564 -0.55738 0.92673 0.16366 0.54819 0.69541
    -0.85806 0.97761 -0.38359""",
    0.55: """0.53145 0.18396 -0.98855 -0.17444 -0.85636 0.71592 -0.54796 0.9464 -0.21428 0.98358 -0.39411 0.82286
    -0.75462 -0.51301 -0.96804 -0.00178""",
}
COLOURS = {
    0.3: """0.08431 -0.95208 0.20398 0.78469 -0.54569 -0.68828 0.63563 -0.54126 -0.94189 0.28509 0.64605 -0.61711
    -0.62252 0.74981 -0.59791 -0.48017""",
    0.8: """-0.06041 1.21821 -0.87639 -1.64628 0.27979 1.15255 -1.03247 0.56748 1.17091 -0.99223 -1.06408 0.41782
    1.07308 -1.28611 0.63594 0.31589""",
    0.55: """-0.82352 0.88018 0.36266 -0.79949 0.59601 0.4728 -0.7548 0.98076 0.93528 0.26193 -1.10424 0.65676 0.39738
    -0.88969 1.02614 0.13894""",
}


@pytest.mark.parametrize("q", GEOMETRY)
def test_pictures_are_those_of_the_authors_code(q):
    of_geometry, of_colours = as_debugged(q)
    for found, wanted in (
        (geometry(pictures(), of_geometry, 1.0), GEOMETRY[q]),
        (colours(pictures(), of_colours, 1.0), COLOURS[q]),
    ):
        numbers = torch.tensor([float(each) for each in wanted.split()])
        torch.testing.assert_close(found.flatten()[::97], numbers, rtol=0, atol=2e-5)


def test_places_are_those_of_pytorchs_own_grid():
    theta = torch.linspace(-1.3, 1.1, 24).view(4, 2, 3)
    found, wanted = ada._grid(theta, 7), F.affine_grid(theta, [4, 1, 7, 7], align_corners=False)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_without_a_change_pictures_come_back_but_for_the_filter():
    smooth = torch.sin(torch.arange(16) * 0.3)[:, None] * torch.cos(torch.arange(16) * 0.2) * torch.ones(2, 3, 1, 1)
    found = geometry(smooth, torch.rand(2, GEOMETRY_NUMBERS), 0.0)
    torch.testing.assert_close(found, smooth, rtol=0, atol=5e-3)
    assert torch.equal(colours(smooth, torch.rand(2, COLOUR_NUMBERS), 0.0), smooth)


def test_a_whole_move_moves_and_mirrors_what_comes_in():
    images = torch.randn(2, 1, 16, 16)
    moved = resample(images, torch.eye(2).expand(2, 2, 2), torch.tensor([[2.0, 0.0], [0.0, -3.0]]))
    torch.testing.assert_close(moved[0, :, :, :14], resample_alone(images)[0, :, :, 2:], rtol=0, atol=1e-4)
    torch.testing.assert_close(moved[1, :, 3:], resample_alone(images)[1, :, :13], rtol=0, atol=1e-4)


def resample_alone(images):
    """With no move at all: the filter remains."""
    return resample(images, torch.eye(2).expand(2, 2, 2), torch.zeros(2, 2))


def test_grey_pictures_keep_to_the_luma():
    grey = pictures()[:, :1]
    _, draws = as_debugged(0.8)
    in_colour = colours(grey.expand(-1, 3, -1, -1), draws, 1.0)
    assert (in_colour.amax(1) - in_colour.amin(1)).max() < 1e-5
    torch.testing.assert_close(colours(grey, draws, 1.0), in_colour[:, :1], rtol=1e-4, atol=1e-5)


def test_sampling_has_derivatives_of_every_order():
    images = torch.randn(2, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    grid = torch.rand(2, 6, 6, 2, dtype=torch.float64) * 2.4 - 1.2
    assert torch.autograd.gradcheck(lambda x: sampled(x, grid), images)
    assert torch.autograd.gradgradcheck(lambda x: sampled(x, grid).square(), images)


@pytest.mark.parametrize("of", [geometry, colours])
def test_every_number_counts(of):
    choosing = {geometry: (0, 2, 4, 7, 9, 11, 13, 15), colours: (0, 2, 4, 6, 8)}[of]
    count = {geometry: GEOMETRY_NUMBERS, colours: COLOUR_NUMBERS}[of]
    draws = torch.tensor([[0.3 if place in choosing else 0.8 for place in range(count)]] * 2)
    images, before = pictures(), of(pictures(), draws, 0.6)
    for place in range(count):
        other = draws.clone()
        other[:, place] = 0.9 if place in choosing else 0.3
        assert not torch.allclose(of(images, other, 0.6), before, atol=1e-3), place
