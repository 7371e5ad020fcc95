"""Our networks and objective give the numbers that the code of R3GAN's authors gives with the same weights.

The numbers are facts: what that code (github.com/brownvc/R3GAN, its reference operators) printed once, in float32, for
the weights and inputs that are made here by formulas.
"""

import math

import pytest
import torch

from gan.networks.r3gan import R3Discriminator, R3Generator
from gan.objective.gradients import ImagePairs, Objective, PenaltyWeights
from gan.objective.losses import LOSSES

SHAPE = {
    "base": 4,
    "channels": 3,
    "num_classes": 3,
    "widths": (8, 8, 4),
    "blocks_per_stage": 2,
    "group_width": 4,
    "expansion": 2,
    "patch": 1,
    "class_scale": "fan_in",
    "transitions": "changes",
    "fp32_stages": 1,
}
LABELS = torch.tensor([2, 0, 1])
GAMMA = 0.8


def filled(network):
    """Give each weight a wave of its own, of about the size that it begins with."""
    for phase, parameter in enumerate(network.parameters()):
        wave = torch.sin(1.7 * torch.arange(parameter.numel(), dtype=torch.float64) + phase)
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 4
        parameter.data = (wave / math.sqrt(max(fan_in, 1))).float().view(parameter.shape)
    return network


@pytest.fixture
def G():
    return filled(R3Generator(**SHAPE, latent_dim=6, embedding_dim=5, upsampling="zeros"))


@pytest.fixture
def D():
    return filled(R3Discriminator(**SHAPE, embedding_dim=7))


def noise():
    return torch.sin(torch.arange(18) * 0.9).view(3, 6)


def real_images():
    return torch.cos(torch.arange(3 * 3 * 16 * 16) * 0.11).view(3, 3, 16, 16)


def close(found, wanted):
    torch.testing.assert_close(found.detach(), torch.tensor(wanted), rtol=1e-4, atol=2e-6)


def test_a_block(G):
    x = torch.sin(torch.arange(8 * 9) * 0.37).view(1, 8, 3, 3)
    wanted = [0.337417, 0.850655, -1.558069, 1.329179, -0.377068, 0.802333, -0.425987, -0.444678, 1.448296, -1.657037]
    close(G.stages[1][0](x).flatten()[::7], [*wanted, 0.061195])


def test_the_generator(G):
    wanted = [-0.417404, -1.1828, -1.525188, -1.633415, -1.814557, -1.199071, -1.220834, -1.45386, -1.696931]
    wanted += [-1.344972, -1.561653, -1.194149, -1.491488, -1.725003, -1.589894, -1.673521]
    close(G(noise(), LABELS).flatten()[::151], wanted)


def test_the_discriminator_and_its_slopes(D):
    images = real_images().requires_grad_(True)
    logits = D(images, LABELS, LABELS)
    close(logits, [-0.058308, -0.018588, -0.045413])
    (slopes,) = torch.autograd.grad(logits.sum(), images)
    close(slopes.square().sum((1, 2, 3)), [0.000545, 0.000569, 0.000599])


# norms of the gradients of all parameters, in the order of size
OF_D = """
0.011714 0.004969 0.01807 0.004878 0.001547 0.001955 0.003406 0.013918 0.00435 0.001509 0.002291 0.008356 0.009614
0.010257 0.004398 0.003899 0.001796 0.011733 0.012992 0.002897 0.002041 0.002834 0.026906 0.022174 0.011849 0.008291
0.004093 0.032275 0.019776 0.004316 0.006033 0.003147 0.223133 0.019349 0.022307
"""
OF_G = """
0.002746 0.008355 0.001171 0.009804 0.005346 0.007357 0.001466 0.005718 0.014223 0.004757 0.004815 0.001103 0.006806
0.015851 0.003432 0.002321 0.001888 0.008791 0.028835 0.008842 0.001645 0.004279 0.012877 0.007378 0.016746 0.002138
0.001951 0.000547 0.007382 0.038891 0.000915 0.001947 0.003365 0.014402 0.001902
"""


def norms(text):
    return torch.tensor(sorted(map(float, text.split())))


def test_the_gradients_of_both_phases(G, D):
    objective = Objective(LOSSES["relativistic"], penalty_input="images")
    fake_images = G(noise(), LABELS)
    nothing, weight = torch.empty(3, 2, 0), torch.tensor(GAMMA)
    pairs = ImagePairs(real_images(), fake_images.detach(), LABELS, LABELS, LABELS, nothing, torch.tensor(0.0))
    gradients, _ = objective.discriminator_gradients(D, pairs, 3, PenaltyWeights(weight, weight, weight))
    found = torch.stack([gradient.norm() for gradient in gradients]).sort().values
    torch.testing.assert_close(found, norms(OF_D), rtol=1e-3, atol=2e-6)
    by_images, _ = objective.image_gradients(D, pairs, 3)
    gradients = torch.autograd.grad(fake_images, list(G.parameters()), by_images)
    found = torch.stack([gradient.norm() for gradient in gradients]).sort().values
    torch.testing.assert_close(found, norms(OF_G), rtol=1e-3, atol=2e-6)
