"""A compiled step is the eager one: the same gradients and weights, in one graph for each phase."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from gan.config import NetworkConfig
from gan.context import Alone
from gan.feed import Feed
from gan.losses import LOSSES
from gan.networks.build import build_discriminator, build_generator
from gan.objective import Objective
from gan.schedules import StepSettings
from gan.step import Networks, Step

# the C++ compiler takes a minute or two, and much longer where other work runs beside it
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

CPU = torch.device("cpu")
NETWORK = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)


def settings(*, penalised, probability):
    return StepSettings(
        batch_size=6,
        r1_gamma=0.7,
        r2_gamma=0.3,
        gradient_penalty=0.0,
        penalised=penalised,
        penalty_scale=2.0,
        generator_too=True,
        augment_probability=probability,
        lr=1e-3,
        beta2=0.99,
        ema_decay=0.5,
    )


class Recorder(Alone):
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


def test_a_compiled_step_is_the_eager_one(monkeypatch):
    monkeypatch.setattr(torch._dynamo.config, "trace_autograd_ops", False)  # as it was, for other tests
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)
    feed = Feed(images, rng.integers(0, 3, 9), seed=0, flip=True, device=CPU)
    objective = Objective(LOSSES["relativistic"], ("flip", "colour", "translation", "cutout"))
    found = {}
    for compiled in (False, True):
        torch._dynamo.reset()
        counters.clear()
        nets, context = networks(), Recorder()
        step = Step(nets, objective, context, compiled=compiled)
        terms = [
            step(feed.batch(start, start + 6), settings(penalised=penalised, probability=probability), start)
            for start, penalised, probability in ((0, True, 0.3), (6, True, 0.6), (12, False, 0.9), (18, True, 0.1))
        ]
        found[compiled] = nets, context.reduced, terms
    # one graph for G, two for D with and without penalties, one for the generator's loss; other numbers need no other
    assert counters["stats"]["unique_graphs"] == 4
    assert not counters["graph_break"]
    for one, other in zip(found[True][1], found[False][1], strict=True):
        assert other.abs().max() > 1e-2
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())
    for name in ("G", "D", "G_ema"):
        pairs = zip(*(getattr(found[compiled][0], name).parameters() for compiled in (True, False)), strict=True)
        for one, other in pairs:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    for one, other in zip(found[True][2], found[False][2], strict=True):
        assert {key: value.item() for key, value in one.items()} == pytest.approx(
            {key: value.item() for key, value in other.items()}, rel=1e-3, abs=1e-3
        )
