"""Gradient penalties against gradients known in closed form."""

import math

import pytest
import torch

from gan.objective.penalties import distances_from_unit_slope, interpolate, squared_gradient_norms

WEIGHT = [[[3.0, 4.0], [0.0, 12.0]]]
"""Of length 13."""


def linear(weight, images):
    return (images * weight).sum((1, 2, 3))


def test_a_linear_discriminator_has_its_weights_norm_everywhere():
    images = torch.randn(5, 1, 2, 2, requires_grad=True)
    norms = squared_gradient_norms(linear(torch.tensor(WEIGHT), images), images)
    assert norms.tolist() == pytest.approx([169.0] * 5)


def test_the_gradient_of_a_linear_discriminators_norm_is_twice_its_weight():
    weight = torch.tensor(WEIGHT, requires_grad=True)
    images = torch.randn(5, 1, 2, 2, requires_grad=True)
    (by_weight,) = torch.autograd.grad(squared_gradient_norms(linear(weight, images), images).sum(), weight)
    torch.testing.assert_close(by_weight, 5 * 2 * weight.detach())


def test_a_quadratic_discriminator_and_the_penaltys_own_gradient():
    scale = torch.tensor(2.0, requires_grad=True)
    images = torch.tensor([[[[1.0, 2.0]]], [[[0.0, -3.0]]]], requires_grad=True)
    # D(x) = s |x|^2 has gradient 2 s x, squared norm 4 s^2 |x|^2, and that has the derivative 8 s |x|^2 by s.
    norms = squared_gradient_norms(scale * images.square().sum((1, 2, 3)), images)
    assert norms.tolist() == pytest.approx([80.0, 144.0])
    (by_scale,) = torch.autograd.grad(norms.sum(), scale)
    assert by_scale.item() == pytest.approx(8 * 2 * (5 + 9))


@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
def test_the_gradient_penalty_of_a_linear_discriminator(length):
    weight = (torch.tensor(WEIGHT) * length / 13).requires_grad_(True)
    images = torch.randn(5, 1, 2, 2, requires_grad=True)
    distances = distances_from_unit_slope(linear(weight, images), images)
    assert distances.tolist() == pytest.approx([(length - 1) ** 2] * 5, rel=1e-4, abs=1e-10)
    # (|w| - 1)^2 has the derivative 2 (|w| - 1) w / |w|
    (by_weight,) = torch.autograd.grad(distances.sum(), weight)
    torch.testing.assert_close(by_weight, 5 * 2 * (length - 1) / length * weight.detach(), rtol=1e-4, atol=1e-5)


def test_a_discriminator_that_is_flat_at_an_image_gives_a_finite_gradient():
    weight = torch.zeros(1, 2, 2, requires_grad=True)
    images = torch.randn(3, 1, 2, 2, requires_grad=True)
    distances = distances_from_unit_slope(linear(weight, images), images)
    assert distances.tolist() == pytest.approx([1.0] * 3, rel=1e-5)
    (by_weight,) = torch.autograd.grad(distances.sum(), weight)
    assert torch.isfinite(by_weight).all()


def test_points_between_two_images():
    real, fake = torch.tensor([[[[1.0, -1.0]]]] * 3), torch.tensor([[[[0.0, 3.0]]]] * 3)
    found = interpolate(real, fake, torch.tensor([[0.0], [0.25], [1.0]]))
    assert found.flatten(1).tolist() == [[1.0, -1.0], [0.75, 0.0], [0.0, 3.0]]


def test_each_pair_has_a_share_of_its_own():
    real, fake = torch.zeros(4, 3, 2, 2), torch.ones(4, 3, 2, 2)
    shares = torch.tensor([[0.1], [0.2], [0.9], [0.5]])
    assert torch.equal(interpolate(real, fake, shares), shares[:, :, None, None].expand(4, 3, 2, 2))


def test_norms_are_of_whole_images_of_any_shape():
    images = torch.zeros(2, 3, 5, 7, requires_grad=True)
    norms = squared_gradient_norms(images.flatten(1).sum(1), images)
    assert norms.tolist() == [105.0, 105.0]
    distances = distances_from_unit_slope(images.flatten(1).sum(1), images)
    assert distances.tolist() == pytest.approx([(math.sqrt(105) - 1) ** 2] * 2, rel=1e-5)
