"""The plain step that ganflow's is timed against computes the same, and operations are counted right."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gan.configuration.config import AugmentConfig, NetworkConfig
from gan.configuration.presets import preset
from gan.configuration.schedules import step_settings
from gan.training.context import SingleWorker
from gan.training.feed import Feed
from gan.training.state import TrainingState
from gan.training.step import Step

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("step")


@pytest.fixture
def config():
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1, patch=2)
    debug = preset("debug")
    return debug.model_copy(
        update={
            "network": network,
            "augment": AugmentConfig(),
            "train": debug.train.model_copy(update={"batch_size": 4}),
        }
    )


@pytest.fixture
def run(config, make_header):
    run = TrainingState(config, SingleWorker(CPU), make_header(num_classes=3, class_names=("a", "b", "c")))
    for parameter in (*run.nets.G.parameters(), *run.nets.D.parameters()):
        nn.init.normal_(parameter, std=0.3)
    return run


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 16, 16, 1), dtype=np.uint8)
    return Feed(images, rng.integers(0, 3, 9), seed=0, flip=False, latent_dim=4, device=CPU).batch(0, 4)


def flat(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


@pytest.mark.parametrize("penalised", [True, False])
def test_both_steps_have_the_same_gradients(bench, config, run, batch, penalised):
    settings = replace(step_settings(config, 0), penalised=penalised, penalty_scale=8.0, r1_gamma=0.7, r2_gamma=0.3)
    ours, plain = Step(run.nets, run.objective, SingleWorker(CPU)), bench.PlainStep(run.nets)
    off = bench.disagreement(ours, plain, batch, settings)
    assert set(off) == {"D", "G"}
    assert max(off.values()) < 1e-4


def test_both_steps_lead_to_the_same_average(bench, config, run, batch):
    settings = replace(step_settings(config, 0), ema_decay=0.5, lr=1e-3)
    ours, plain = Step(run.nets, run.objective, SingleWorker(CPU)), bench.PlainStep(run.nets)
    before = flat(run.nets.G_ema)
    ours(batch, settings, 0)
    plain(batch, bench.noise(batch), settings)
    off = (flat(run.nets.G_ema) - flat(plain.G_ema)).abs()
    # a first step of Adam is by the sign: a gradient that is nearly zero may fall on either side
    assert (off < 1e-6).float().mean() > 0.95
    assert (flat(run.nets.G_ema) - before).abs().mean() > 1e-4


def test_a_difference_of_the_penalty_is_seen(bench, config, run, batch):
    settings = step_settings(config, 0)
    ours = Step(run.nets, run.objective, SingleWorker(CPU))

    def other(batch, z, settings):
        plain(batch, z, replace(settings, r2_gamma=2 * settings.r2_gamma))

    plain = bench.PlainStep(run.nets)
    other.G_optimizer, other.D_optimizer = plain.G_optimizer, plain.D_optimizer
    assert bench.disagreement(ours, other, batch, settings)["D"] > bench.MOST_DISAGREEMENT


@pytest.mark.parametrize("groups", [1, 4])
def test_gradients_of_gradients_are_six_times_the_forward_pass(bench, groups):
    # forward, its two gradients, and what the gradient of the image needs for three more
    x = torch.randn(2, 16, 8, 8, requires_grad=True)
    w = torch.randn(16, 16 // groups, 3, 3, requires_grad=True)
    with bench.Operations() as counted:
        y = torch.conv2d(x, w, padding=1, groups=groups)
        forward = counted.total
        (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        slope.square().sum().backward()
    assert forward == 2 * 2 * 64 * 16 * (16 // groups) * 9
    assert counted.total == 6 * forward


def test_figures_have_four_digits_and_the_median_is_between(bench):
    assert bench.spread([1.23456, 2.0, 3.0]) == {"median": 2.0, "min": 1.235, "max": 3.0, "each": [1.235, 2.0, 3.0]}
