"""The relativistic pairing losses against values computed by hand."""

import math

import pytest
import torch

from gan.losses import discriminator_loss, generator_loss


def test_losses_of_three_pairs():
    real = torch.tensor([0.0, 2.0, -1.0])
    fake = torch.tensor([0.0, -1.0, 1.0])
    wanted_d = [math.log(2), math.log(1 + math.exp(-3)), math.log(1 + math.exp(2))]
    wanted_g = [math.log(2), math.log(1 + math.exp(3)), math.log(1 + math.exp(-2))]
    assert discriminator_loss(real, fake).tolist() == pytest.approx(wanted_d, rel=1e-6)
    assert generator_loss(real, fake).tolist() == pytest.approx(wanted_g, rel=1e-6)


def test_only_the_difference_counts_and_large_logits_stay_finite():
    real, fake = torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4])
    assert discriminator_loss(real, fake).tolist() == [0.0, 2e4]
    assert generator_loss(real, fake).tolist() == [2e4, 0.0]
    assert discriminator_loss(real + 5, real + 3).tolist() == discriminator_loss(real, real - 2).tolist()


def test_gradients_are_the_logistic_of_the_difference():
    real = torch.tensor([0.5], requires_grad=True)
    fake = torch.tensor([-1.0], requires_grad=True)
    sigmoid = 1 / (1 + math.exp(1.5))
    found = torch.autograd.grad(discriminator_loss(real, fake).sum(), [real, fake])
    assert [gradient.item() for gradient in found] == pytest.approx([-sigmoid, sigmoid], rel=1e-5)
    found = torch.autograd.grad(generator_loss(real, fake).sum(), [real, fake])
    assert [gradient.item() for gradient in found] == pytest.approx([1 - sigmoid, sigmoid - 1], rel=1e-5)
