"""One step: sums over slices are the sum over the batch, and a step that is not finite is not taken."""

import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from gan.config import NetworkConfig
from gan.context import LocalContext
from gan.errors import NonFiniteLossError
from gan.feed import Feed
from gan.keyed_random import Purpose, normal
from gan.losses import discriminator_loss, generator_loss
from gan.networks.build import build_discriminator, build_generator
from gan.step import Networks, StepSettings, apply_gradients, discriminator_phase, generator_phase, train_step

CPU = torch.device("cpu")
NETWORK = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
SETTINGS = StepSettings(batch_size=6, r1_gamma=0.7, r2_gamma=0.3, lr=1e-3, ema_decay=0.5)


def networks():
    torch.manual_seed(0)
    G = build_generator(NETWORK, channels=1, num_classes=3)
    D = build_discriminator(NETWORK, channels=1, num_classes=3)
    for parameter in (*G.parameters(), *D.parameters()):
        nn.init.normal_(parameter, std=0.3)
    optimizers = [torch.optim.Adam(network.parameters(), betas=(0.0, 0.99)) for network in (G, D)]
    return Networks(G, D, copy.deepcopy(G).requires_grad_(False), *optimizers)


@pytest.fixture
def feed():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)
    return Feed(images, rng.integers(0, 3, 9), seed=0, flip=True, device=CPU)


@pytest.fixture
def local(tmp_path):
    return LocalContext(tmp_path, device=CPU)


def noise(batch):
    return normal(batch.seeds, Purpose.LATENT, NETWORK.latent_dim)


def gradients(network):
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])


def state(nets):
    parts = (nets.G, nets.D, nets.G_ema, nets.G_optimizer, nets.D_optimizer)
    return copy.deepcopy([part.state_dict() for part in parts])


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("cuts", [(0, 3, 6), (0, 1, 6), (0, 2, 4, 6), (0, 0, 6)])
def test_gradients_of_slices_add_up_to_those_of_the_batch(feed, cuts):
    whole, parts = networks(), networks()
    terms = discriminator_phase(whole, feed.batch(0, 6), noise(feed.batch(0, 6)), SETTINGS) | generator_phase(
        whole, feed.batch(0, 6), noise(feed.batch(0, 6)), SETTINGS
    )
    sums = dict.fromkeys(terms, 0.0)
    for start, stop in pairwise(cuts):
        batch = feed.batch(start, stop)
        for phase in (discriminator_phase, generator_phase):
            for name, value in phase(parts, batch, noise(batch), SETTINGS).items():
                sums[name] += value.item()
    for name in ("G", "D"):
        wanted = gradients(getattr(whole, name))
        assert wanted.abs().max() > 1e-2
        torch.testing.assert_close(gradients(getattr(parts, name)), wanted, rtol=1e-4, atol=1e-5)
    assert sums == pytest.approx({name: value.item() for name, value in terms.items()}, rel=1e-4)
    assert set(sums) == {"D_loss", "G_loss", "r1", "r2", "real_logits", "fake_logits"}


def test_the_phases_are_the_papers_objectives(feed):
    nets, plain = networks(), networks()
    batch = feed.batch(0, 6)
    discriminator_phase(nets, batch, noise(batch), SETTINGS)
    generator_phase(nets, batch, noise(batch), SETTINGS)

    fakes = plain.G(noise(batch), batch.labels)
    real, fake = (images.detach().clone().requires_grad_(True) for images in (batch.real_images, fakes))
    real_logits, fake_logits = plain.D(real, batch.labels), plain.D(fake, batch.labels)
    (by_real,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
    (by_fake,) = torch.autograd.grad(fake_logits.sum(), fake, create_graph=True)
    penalty = 0.7 / 2 * by_real.square().sum() + 0.3 / 2 * by_fake.square().sum()
    D_loss = (discriminator_loss(real_logits, fake_logits).sum() + penalty) / 6
    wanted = torch.autograd.grad(D_loss, list(plain.D.parameters()))
    for found, expected in zip(nets.D.parameters(), wanted, strict=True):
        torch.testing.assert_close(found.grad, expected, rtol=1e-4, atol=1e-5)

    G_loss = generator_loss(plain.D(batch.real_images, batch.labels), plain.D(fakes, batch.labels)).mean()
    wanted = torch.autograd.grad(G_loss, list(plain.G.parameters()))
    for found, expected in zip(nets.G.parameters(), wanted, strict=True):
        torch.testing.assert_close(found.grad, expected, rtol=1e-4, atol=1e-5)


def test_without_penalties_none_is_computed(feed):
    nets = networks()
    terms = discriminator_phase(
        nets, feed.batch(0, 6), noise(feed.batch(0, 6)), replace(SETTINGS, r1_gamma=0.0, r2_gamma=0.0)
    )
    assert (terms["r1"].item(), terms["r2"].item()) == (0.0, 0.0)
    assert gradients(nets.D).abs().max() > 0


def test_each_phase_leaves_the_other_network_alone(feed):
    nets = networks()
    discriminator_phase(nets, feed.batch(0, 6), noise(feed.batch(0, 6)), SETTINGS)
    assert all(parameter.grad is None for parameter in nets.G.parameters())
    before = gradients(nets.D).clone()
    generator_phase(nets, feed.batch(0, 6), noise(feed.batch(0, 6)), SETTINGS)
    assert torch.equal(gradients(nets.D), before)
    assert all(parameter.requires_grad for parameter in nets.D.parameters())


def test_a_step_moves_both_networks_and_then_the_average(feed, local):
    nets = networks()
    G, D, G_ema = (copy.deepcopy(network) for network in (nets.G, nets.D, nets.G_ema))
    train_step(nets, feed.batch(0, 6), SETTINGS, local, 0)
    befores, afters = (*G.parameters(), *D.parameters()), (*nets.G.parameters(), *nets.D.parameters())
    for before, after in zip(befores, afters, strict=True):
        # Adam's first step without momentum has length lr wherever there is a gradient.
        assert (after - before).abs().max().item() == pytest.approx(1e-3, rel=0.01)
    for start, value, average in zip(G_ema.parameters(), nets.G.parameters(), nets.G_ema.parameters(), strict=True):
        torch.testing.assert_close(average, (start + value) / 2)


def test_the_generator_meets_the_discriminator_after_its_step(feed, local):
    nets, by_hand = networks(), networks()
    batch = feed.batch(0, 6)
    train_step(nets, batch, SETTINGS, local, 0)
    discriminator_phase(by_hand, batch, noise(batch), SETTINGS)
    assert apply_gradients(by_hand.D, by_hand.D_optimizer, 1e-3, local.all_reduce)
    generator_phase(by_hand, batch, noise(batch), SETTINGS)
    assert torch.equal(gradients(nets.G), gradients(by_hand.G))


def test_gradients_do_not_pile_up_over_steps(feed, local):
    nets, again = networks(), networks()
    for start in (0, 6):
        train_step(nets, feed.batch(start, start + 6), SETTINGS, local, start)
    train_step(again, feed.batch(0, 6), SETTINGS, local, 0)
    again.G.zero_grad(), again.D.zero_grad()
    train_step(again, feed.batch(6, 12), SETTINGS, local, 6)
    assert same(state(nets), state(again))


def test_a_nan_image_stops_the_step_and_nothing_has_changed(feed, local):
    nets = networks()
    train_step(nets, feed.batch(0, 6), SETTINGS, local, 0)
    before = state(nets)
    batch = feed.batch(6, 12)
    batch.real_images[2, 0, 3, 3] = float("nan")
    with pytest.raises(NonFiniteLossError, match=r"D_loss.* on rank 0 .*at image 6.*optimizer\.lr.*loss\.r1_gamma"):
        train_step(nets, batch, SETTINGS, local, 6)
    assert same(state(nets), before)


def test_another_workers_infinity_stops_this_one_too(feed, local):
    nets = networks()
    before = state(nets)

    class Other(LocalContext):
        def all_reduce(self, tensor):
            tensor[-1] += float("inf")

    with pytest.raises(NonFiniteLossError, match="the gradient of D became NaN or infinite at image 0"):
        train_step(nets, feed.batch(0, 6), SETTINGS, Other(local.folder, device=CPU), 0)
    assert same(state(nets), before)


def test_apply_gradients_sums_over_workers_in_one_reduction():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    unused = nn.Linear(1, 1)
    network.register_module("unused", unused)
    start = copy.deepcopy(network)
    for number, parameter in enumerate((*network[0].parameters(), *network[1].parameters())):
        parameter.grad = torch.full_like(parameter, number + 1.0)
    optimizer = torch.optim.SGD(network.parameters(), lr=123.0)
    reduced = []

    def three_workers(flat):
        reduced.append(flat.clone())
        flat.mul_(3)

    assert apply_gradients(network, optimizer, 0.5, three_workers)
    assert [flat.tolist() for flat in reduced] == [[1.0] * 4 + [2.0] * 2 + [3.0] * 2 + [4.0]]
    for number, (before, after) in enumerate(zip(start[:2].parameters(), network[:2].parameters(), strict=True)):
        torch.testing.assert_close(after, before - 0.5 * 3 * (number + 1))
    assert torch.equal(unused.weight, start.unused.weight)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_apply_gradients_refuses_what_is_not_finite(bad):
    network = nn.Linear(2, 1)
    start = copy.deepcopy(network)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    network.bias.grad[0] = bad
    optimizer = torch.optim.Adam(network.parameters(), lr=1.0)
    assert not apply_gradients(network, optimizer, 0.5, lambda flat: None)
    assert same(network.state_dict(), start.state_dict())
    assert not optimizer.state
    assert optimizer.param_groups[0]["lr"] == 1.0
