"""A compiled step is the eager one: the same gradients and weights, in one graph for each phase."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from gan.configuration.config import NetworkConfig
from gan.configuration.schedules import StepSettings
from gan.networks.build import build_discriminator, build_generator
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training.context import SingleWorker
from gan.training.feed import Feed
from gan.training.step import Networks, Step

# the C++ compiler takes a minute or two, and much longer where other work runs beside it
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CPU = torch.device("cpu")
NETWORK = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)


def settings(*, penalised, probability, accumulate=1):
    return StepSettings(
        batch_size=6,
        r1_gamma=0.7,
        r2_gamma=0.3,
        gradient_penalty=10.0,
        penalised=penalised,
        penalty_scale=2.0,
        generator_too=True,
        augment_probability=probability,
        lr=1e-3,
        beta2=0.99,
        ema_decay=0.5,
        accumulate=accumulate,
    )


class Recorder(SingleWorker):
    """One worker that remembers what was summed over workers: the gradients of each phase."""

    world_size = 2

    def __init__(self):
        super().__init__(CPU)
        self.reduced = []

    def all_reduce(self, tensor):
        self.reduced.append(tensor.clone())


def networks():
    torch.manual_seed(0)
    G = build_generator(NETWORK, channels=1, num_classes=3)
    D = build_discriminator(NETWORK, channels=1, num_classes=3)
    for parameter in (*G.parameters(), *D.parameters()):
        nn.init.normal_(parameter, std=0.4)
    # a large epsilon: a gradient of about nothing must not become a step of full length, which way rounding says
    adams = [torch.optim.Adam(part.parameters(), betas=(0.0, 0.99), eps=1e-3, fused=True) for part in (G, D)]
    return Networks(G, D, copy.deepcopy(G).requires_grad_(False), *adams)


@pytest.fixture(autouse=True)
def as_it_was():
    """Leave nothing of the compiler's settings to other tests."""
    torch._dynamo.reset()
    counters.clear()
    with torch._dynamo.config.patch(trace_autograd_ops=False):
        yield
    torch._dynamo.reset()


@pytest.fixture
def feed():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)
    return Feed(
        images, rng.integers(0, 3, 9), seed=0, flip=True, latent_dim=NETWORK.latent_dim, augmentation=44, device=CPU
    )


OPERATIONS = ("flip", "colour", "translation", "cutout")
STEPS = [(True, 0.3), (True, 0.6), (False, 0.9), (True, 0.1)]
"""Of each step: whether it is penalised, and the probability of augmentation."""


def trained(feed, objective, *, compiled, steps, accumulate=1):
    """Networks after some steps, the gradients of each phase, and the terms of each step."""
    nets, context = networks(), Recorder()
    step = Step(nets, objective, context, compiled=compiled)
    terms = [
        step(
            feed.batch(6 * index, 6 * index + 6),
            settings(penalised=penalised, probability=probability, accumulate=accumulate),
            6 * index,
        )
        for index, (penalised, probability) in enumerate(steps)
    ]
    return nets, context.reduced, [{name: value.item() for name, value in each.items()} for each in terms]


def assert_alike(one, other):
    for found, wanted in zip(one[1], other[1], strict=True):
        assert wanted.abs().max() > 1e-2
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4 * wanted.abs().max().item())
    for name in ("G", "D", "G_ema"):
        for found, wanted in zip(getattr(one[0], name).parameters(), getattr(other[0], name).parameters(), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    for found, wanted in zip(one[2], other[2], strict=True):
        assert found == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_a_compiled_step_is_the_eager_one(feed):
    objective = Objective(LOSSES["relativistic"], OPERATIONS)
    wanted = trained(feed, objective, compiled=False, steps=STEPS)
    found = trained(feed, objective, compiled=True, steps=STEPS)
    # one graph for G, two for D with and without penalties, one for the generator's loss; other numbers need no other
    assert counters["stats"]["unique_graphs"] == 4
    assert not counters["graph_break"]
    assert_alike(found, wanted)


@pytest.mark.parametrize("accumulate", [1, 4])  # in pieces of 2, 2, 1, 1
@pytest.mark.parametrize(
    "objective",
    [
        Objective(LOSSES["relativistic"]),
        Objective(LOSSES["relativistic"], OPERATIONS, bf16=True),
        Objective(LOSSES["wasserstein"], r1=False, r2=False, between=True),
        Objective(LOSSES["relativistic"], ("ada-geometry", "ada-colour", "cutout"), penalty_input="images"),
    ],
)
def test_what_the_compiler_traces_is_the_eager_step(feed, objective, accumulate, monkeypatch):
    # the trace alone, without the code that is made from it: seconds instead of minutes
    plain = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function: plain(function, backend="aot_eager"))
    wanted = trained(feed, objective, compiled=False, steps=STEPS[:2], accumulate=accumulate)
    found = trained(feed, objective, compiled=True, steps=STEPS[:2], accumulate=accumulate)
    assert not counters["graph_break"]
    assert_alike(found, wanted)
