"""An optimizer takes no step by gradients that are not finite, and takes one by others with the step's settings."""

import copy

import pytest
import torch
from torch import nn

from gan.configuration.schedules import StepSettings
from gan.training.apply_gradients import apply_gradients

SETTINGS = StepSettings(
    batch_size=2,
    r1_gamma=0.0,
    r2_gamma=0.0,
    gradient_penalty=0.0,
    penalised=False,
    penalty_scale=1.0,
    generator_too=True,
    augment_probability=0.0,
    lr=0.25,
    beta2=0.99,
    ema_decay=0.5,
)


def prepared():
    """A network of three weights, a gradient of ones, and an optimizer."""
    network = nn.Linear(2, 1)
    gradients = [torch.ones_like(parameter) for parameter in network.parameters()]
    return network, gradients, torch.optim.Adam(network.parameters(), lr=1.0, betas=(0.0, 0.9))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_refused(bad):
    network, gradients, optimizer = prepared()
    start = copy.deepcopy(network)
    gradients[1][0] = bad
    assert apply_gradients(network, gradients, optimizer, SETTINGS)
    torch.testing.assert_close(network.state_dict(), start.state_dict(), rtol=0, atol=0)
    assert not optimizer.state
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_step_has_the_rate_of_its_settings():
    """Adam's first step is the learning rate against the gradient's sign, whatever its size."""
    network, gradients, optimizer = prepared()
    start = copy.deepcopy(network)
    assert not apply_gradients(network, gradients, optimizer, SETTINGS)
    for before, after in zip(start.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(after, before - 0.25)
    assert optimizer.param_groups[0]["betas"] == (0.0, 0.99)


def test_what_follows_a_step_that_was_not_taken_is_not_taken_either():
    network, gradients, optimizer = prepared()
    start = copy.deepcopy(network)
    assert apply_gradients(network, gradients, optimizer, SETTINGS, torch.tensor(True))
    torch.testing.assert_close(network.state_dict(), start.state_dict(), rtol=0, atol=0)
    assert not apply_gradients(network, gradients, optimizer, SETTINGS, torch.tensor(False))
