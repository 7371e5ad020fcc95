"""One step: sums over slices are the sum over the batch, and a step that is not finite is not taken."""

import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from gan.configuration.config import NetworkConfig
from gan.configuration.schedules import StepSettings
from gan.errors import NonFiniteLossError
from gan.keyed_random import Purpose, normal
from gan.networks.build import build_discriminator, build_generator
from gan.objective.gradients import Objective
from gan.objective.losses import LOSSES
from gan.training.context import SingleWorker
from gan.training.feed import Feed
from gan.training.pieces import pieces_of
from gan.training.step import Networks, Step

CPU = torch.device("cpu")
NETWORK = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
DCGAN = NetworkConfig(architecture="dcgan", widths=(8,), latent_dim=4, discriminator_normalisation="batch", dropout=0.2)
RELATIVISTIC = Objective(LOSSES["relativistic"])
SETTINGS = StepSettings(
    batch_size=6,
    r1_gamma=0.7,
    r2_gamma=0.3,
    gradient_penalty=10.0,
    penalised=True,
    penalty_scale=1.0,
    generator_too=True,
    augment_probability=0.5,
    lr=1e-3,
    beta2=0.99,
    ema_decay=0.5,
)


class Recorder(SingleWorker):
    """One worker that remembers what was summed over workers."""

    world_size = 2  # so that gradients are flattened and summed; the other worker has none

    def __init__(self, factor=1.0):
        super().__init__(CPU)
        self.factor = factor
        self.reduced = []

    def all_reduce(self, tensor):
        self.reduced.append(tensor.clone())
        tensor.mul_(self.factor)


def networks(network=NETWORK):
    torch.manual_seed(0)
    G = build_generator(network, channels=1, num_classes=3)
    D = build_discriminator(network, channels=1, num_classes=3)
    for parameter in (*G.parameters(), *D.parameters()):
        nn.init.normal_(parameter, std=0.4)
    optimizers = [torch.optim.Adam(part.parameters(), betas=(0.0, 0.99), fused=True) for part in (G, D)]
    return Networks(G, D, copy.deepcopy(G).requires_grad_(False), *optimizers)


@pytest.fixture
def feed():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)
    return Feed(images, rng.integers(0, 3, 9), seed=0, flip=True, latent_dim=4, augmentation=16, device=CPU)


def state(nets):
    parts = (nets.G, nets.D, nets.G_ema, nets.G_optimizer, nets.D_optimizer)
    return copy.deepcopy([part.state_dict() for part in parts])


def assert_same_bits(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def gradients_of(nets, batch, settings=SETTINGS, objective=RELATIVISTIC):
    """The flat gradients [D's, G's] that a step sums over workers, and its terms."""
    context = Recorder()
    terms = Step(nets, objective, context)(batch, settings, 0)
    return context.reduced, terms


FULL = Objective(LOSSES["relativistic"], ("flip", "colour", "translation", "cutout"), between=True)


@pytest.mark.parametrize("cuts", [(0, 3, 6), (0, 1, 6), (0, 2, 4, 6), (0, 0, 6)])
@pytest.mark.parametrize("objective", [RELATIVISTIC, FULL, replace(FULL, loss=LOSSES["hinge"])])
def test_gradients_of_slices_add_up_to_those_of_the_batch(feed, cuts, objective):
    # without a step of D in between: the generator meets the same D in every slice
    still = replace(SETTINGS, lr=0.0)
    wanted, terms = gradients_of(networks(), feed.batch(0, 6), still, objective)
    found = [torch.zeros_like(part) for part in wanted]
    sums = dict.fromkeys(terms, 0.0)
    for start, stop in pairwise(cuts):
        parts, some = gradients_of(networks(), feed.batch(start, stop), still, objective)
        for total, part in zip(found, parts, strict=True):
            total += part
        for name, value in some.items():
            sums[name] += value.item()
    for one, other in zip(found, wanted, strict=True):
        assert other.abs().max() > 1e-3
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * other.abs().max().item())
    assert sums == pytest.approx({name: value.item() for name, value in terms.items()}, rel=1e-3, abs=1e-4)


def by_hand(nets, batch, settings=SETTINGS):
    """The papers' objective with a pass of G for each network; returns both gradients, D's step taken in between."""
    z = normal(batch.draws.seeds, Purpose.LATENT, nets.G.latent_dim)
    fakes = nets.G(z, batch.labels)
    real, fake = (images.detach().clone().requires_grad_(True) for images in (batch.real_images, fakes))
    real_logits, fake_logits = (nets.D(images, batch.labels, batch.draws.seeds) for images in (real, fake))
    loss = torch.log1p(torch.exp(fake_logits - real_logits)).sum()
    if settings.penalised:
        for gamma, logits, images in ((settings.r1_gamma, real_logits, real), (settings.r2_gamma, fake_logits, fake)):
            (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
            loss = loss + settings.penalty_scale * gamma / 2 * slope.square().sum()
    D_gradients = torch.autograd.grad(loss / 6, list(nets.D.parameters()))
    optimizer = torch.optim.Adam(nets.D.parameters(), lr=settings.lr, betas=(0.0, settings.beta2), foreach=True)
    for parameter, gradient in zip(nets.D.parameters(), D_gradients, strict=True):
        parameter.grad = gradient
    optimizer.step()
    real_logits = nets.D(batch.real_images, batch.labels, batch.draws.seeds)
    fake_logits = nets.D(nets.G(z, batch.labels), batch.labels, batch.draws.seeds)
    loss = torch.log1p(torch.exp(real_logits - fake_logits)).sum()
    return D_gradients, torch.autograd.grad(loss / 6, list(nets.G.parameters()))


CRITIC = NetworkConfig(architecture="dcgan", widths=(8,), discriminator_normalisation="none", dropout=0.3)


def exact(feed, *, accumulate, objective, dropout):
    """The gradients [D's, G's] of a step in float64, the terms, and the weights it leaves."""
    nets = networks()
    if dropout:
        nets.D = networks(CRITIC).D
        nets.D_optimizer = torch.optim.Adam(nets.D.parameters(), betas=(0.0, 0.99), fused=True)
    for network in (nets.G, nets.D, nets.G_ema):
        network.double()
    nets.G.register_forward_pre_hook(lambda module, inputs: (inputs[0].double(), *inputs[1:]))
    batch = feed.batch(0, 6)
    batch = replace(batch, real_images=batch.real_images.double())
    gradients, terms = gradients_of(nets, batch, replace(SETTINGS, accumulate=accumulate), objective)
    return gradients, terms, [*nets.G_ema.parameters(), *nets.D.parameters()]


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("penalties", ["r1 r2", "r1", "r2", "between", "none", "all"])
@pytest.mark.parametrize("kind", list(LOSSES))
def test_pieces_have_the_gradients_of_the_whole(feed, kind, penalties, dropout):
    objective = Objective(
        LOSSES[kind],
        ("flip", "colour", "translation", "cutout"),
        r1=penalties in ("r1", "r1 r2", "all"),
        r2=penalties in ("r2", "r1 r2", "all"),
        between=penalties in ("between", "all"),
    )
    wanted, terms, weights = exact(feed, accumulate=1, objective=objective, dropout=dropout)
    # of 2, 2, 1 and 1 images
    found, sums, moved = exact(feed, accumulate=4, objective=objective, dropout=dropout)
    assert len(found) == len(wanted) == 2  # one step of each network
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float64
        assert other.abs().max() > 1e-3
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12 * other.abs().max().item())
    torch.testing.assert_close(sums, terms, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(moved, weights, rtol=1e-9, atol=1e-9)


def test_of_pieces_one_at_a_time_has_a_graph(feed):
    nets, passes = networks(), []
    nets.G.register_forward_hook(lambda module, inputs, output: passes.append((len(output), output.requires_grad)))
    step = Step(nets, RELATIVISTIC, SingleWorker(CPU))
    step(feed.batch(0, 5), replace(SETTINGS, accumulate=3), 0)
    assert passes == [(2, False), (2, False), (1, False), (2, True), (2, True), (1, True)]
    passes.clear()
    step(feed.batch(0, 5), replace(SETTINGS, accumulate=3, generator_too=False), 0)
    assert passes == [(2, False), (2, False), (1, False)]


@pytest.mark.parametrize(
    ("images", "count", "sizes"),
    [(6, 1, [6]), (6, 2, [3, 3]), (6, 4, [2, 2, 1, 1]), (3, 8, [1, 1, 1]), (1, 2, [1]), (0, 4, [0])],
)
def test_a_slice_is_cut_as_evenly_as_can_be_and_no_piece_is_empty(feed, images, count, sizes):
    whole = feed.batch(3, 3 + images)
    pieces = pieces_of(whole, count)
    assert [len(piece.labels) for piece in pieces] == sizes
    for columns in (lambda batch: batch, lambda batch: batch.draws):
        for name, column in vars(columns(whole)).items():
            if torch.is_tensor(column):
                assert torch.equal(torch.cat([getattr(columns(piece), name) for piece in pieces]), column)


def flat(gradients):
    return torch.cat([gradient.flatten() for gradient in gradients])


def test_one_pass_of_the_generator_serves_both_networks(feed):
    nets = networks()
    passes = []
    nets.G.register_forward_hook(lambda module, inputs, output: passes.append(output.requires_grad))
    found, _ = gradients_of(nets, feed.batch(0, 6))
    assert passes == [True]
    for one, other in zip(found, by_hand(networks(), feed.batch(0, 6)), strict=True):
        wanted = flat(other)
        assert wanted.abs().max() > 1e-2
        torch.testing.assert_close(one, wanted, rtol=1e-3, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("group_width", [4, 1000])
def test_a_fused_optimizer_takes_every_gradient_where_its_weight_lies(feed, group_width):
    # gradients of gradients come in another memory order than the weights, and a fused Adam does not look
    network = NETWORK.model_copy(update={"group_width": group_width})
    nets, plain = networks(network), networks(network)
    Step(nets, RELATIVISTIC, SingleWorker(CPU))(feed.batch(0, 6), SETTINGS, 0)
    D_gradients, _ = by_hand(plain, feed.batch(0, 6))
    assert any(g.stride() != p.stride() for g, p in zip(D_gradients, plain.D.parameters(), strict=True))
    for one, other, gradient in zip(nets.D.parameters(), plain.D.parameters(), D_gradients, strict=True):
        # the first step of Adam is the sign of the gradient, which is rounding where that is about zero
        clear = gradient.abs() > 1e-5
        torch.testing.assert_close(one[clear], other[clear], rtol=1e-4, atol=1e-5)


def test_a_step_moves_both_networks_and_then_the_average(feed):
    nets = networks()
    G, D, G_ema = (copy.deepcopy(network) for network in (nets.G, nets.D, nets.G_ema))
    terms = Step(nets, RELATIVISTIC, SingleWorker(CPU))(feed.batch(0, 6), SETTINGS, 0)
    assert set(terms) == {"D_loss", "G_loss", "r1", "r2", "real_logits", "fake_logits", "D_sign"}
    befores, afters = (*G.parameters(), *D.parameters()), (*nets.G.parameters(), *nets.D.parameters())
    for before, after in zip(befores, afters, strict=True):
        # Adam's first step without momentum has length lr wherever there is a gradient.
        assert (after - before).abs().max().item() == pytest.approx(1e-3, rel=0.01)
        assert after.grad is None
    for start, value, average in zip(G_ema.parameters(), nets.G.parameters(), nets.G_ema.parameters(), strict=True):
        torch.testing.assert_close(average, (start + value) / 2)
        assert not torch.equal(average, start)


def test_learning_rate_and_decay_are_those_of_the_step(feed):
    nets = networks()
    Step(nets, RELATIVISTIC, SingleWorker(CPU))(feed.batch(0, 6), replace(SETTINGS, lr=0.25, beta2=0.7), 0)
    for optimizer in (nets.G_optimizer, nets.D_optimizer):
        assert [(group["lr"], group["betas"]) for group in optimizer.param_groups] == [(0.25, (0.0, 0.7))]


def test_without_its_turn_the_generator_stays(feed):
    nets, both = networks(), networks()
    before = state(nets)
    passes = []
    nets.G.register_forward_hook(lambda module, inputs, output: passes.append(output.requires_grad))
    terms = Step(nets, RELATIVISTIC, SingleWorker(CPU))(feed.batch(0, 6), replace(SETTINGS, generator_too=False), 0)
    assert passes == [False]
    assert "G_loss" not in terms
    after = state(nets)
    for index in (0, 2, 3):  # G, G_ema, G_optimizer
        assert_same_bits(after[index], before[index])
    Step(both, RELATIVISTIC, SingleWorker(CPU))(feed.batch(0, 6), SETTINGS, 0)
    assert_same_bits(after[1], both.D.state_dict())


def test_lazy_penalties_weigh_as_much_as_the_steps_they_stand_for(feed):
    def D_gradients(**changes):
        return gradients_of(networks(), feed.batch(0, 6), replace(SETTINGS, **changes))[0][0]

    bare, once, lazy = D_gradients(penalised=False), D_gradients(), D_gradients(penalty_scale=8.0)
    assert (once - bare).abs().max() > 1e-3
    torch.testing.assert_close(lazy - bare, 8 * (once - bare), rtol=1e-3, atol=1e-4)
    _, terms = gradients_of(networks(), feed.batch(0, 6), replace(SETTINGS, penalised=False))
    assert not {"r1", "r2"} & set(terms)


def test_the_gradient_penalty_has_the_settings_weight(feed):
    objective = Objective(LOSSES["wasserstein"], r1=False, r2=False, between=True)

    def found(weight):
        settings = replace(SETTINGS, gradient_penalty=weight)
        return gradients_of(networks(), feed.batch(0, 6), settings, objective)

    none, one, ten = (found(weight)[0][0] for weight in (0.0, 1.0, 10.0))
    assert (one - none).abs().max() > 1e-3
    torch.testing.assert_close(ten - none, 10 * (one - none), rtol=1e-3, atol=1e-4)
    assert set(found(1.0)[1]) == {"D_loss", "G_loss", "gradient_penalty", "real_logits", "fake_logits", "D_sign"}


def test_the_probability_of_augmentation_is_the_settings(feed):
    objective = replace(RELATIVISTIC, operations=("colour",))
    found = {
        probability: gradients_of(
            networks(), feed.batch(0, 6), replace(SETTINGS, augment_probability=probability), objective
        )[0][0]
        for probability in (0.0, 1.0)
    }
    plain, _ = gradients_of(networks(), feed.batch(0, 6))
    torch.testing.assert_close(found[0.0], plain[0])
    assert not torch.allclose(found[1.0], plain[0], atol=1e-3)


def test_gradients_do_not_pile_up_over_steps(feed):
    nets, again = networks(), networks()
    for start in (0, 6):
        Step(nets, RELATIVISTIC, SingleWorker(CPU))(feed.batch(start, start + 6), SETTINGS, start)
    step = Step(again, RELATIVISTIC, SingleWorker(CPU))
    for start in (0, 6):
        step(feed.batch(start, start + 6), SETTINGS, start)
    assert_same_bits(state(nets), state(again))


def test_a_step_in_bf16_keeps_everything_in_fp32_and_comes_near(feed):
    # D's second phase sees another D where its own step went another way: no step in between
    still = replace(SETTINGS, lr=0.0)
    exact, _ = gradients_of(networks(), feed.batch(0, 6), still)
    nets = networks()
    rounded, terms = gradients_of(nets, feed.batch(0, 6), still, replace(RELATIVISTIC, bf16=True))
    for one, other in zip(rounded, exact, strict=True):
        assert one.dtype == torch.float32
        assert ((one - other).norm() / other.norm()).item() < 0.15
    assert {value.dtype for value in terms.values()} == {torch.float32}
    assert {value.dtype for part in (nets.G, nets.D) for value in part.state_dict().values()} == {torch.float32}


def test_dcgan_with_batch_normalisation_and_dropout(feed):
    objective = Objective(LOSSES["nonsaturating"], r1=False, r2=False)
    nets, again = networks(DCGAN), networks(DCGAN)
    settings = replace(SETTINGS, penalised=False)
    terms = Step(nets, objective, SingleWorker(CPU))(feed.batch(0, 6), settings, 0)
    assert set(terms) == {"D_loss", "G_loss", "real_logits", "fake_logits", "D_sign"}
    Step(again, objective, SingleWorker(CPU))(feed.batch(0, 6), settings, 0)
    assert_same_bits(state(nets), state(again))
    # the average takes G's running statistics over
    for name, value in nets.G.named_buffers():
        assert torch.equal(nets.G_ema.get_buffer(name), value)


def test_a_nan_image_stops_the_step_and_nothing_has_changed(feed):
    nets = networks()
    step = Step(nets, RELATIVISTIC, SingleWorker(CPU))
    step(feed.batch(0, 6), SETTINGS, 0)
    before = state(nets)
    batch = feed.batch(6, 12)
    batch.real_images[2, 0, 3, 3] = float("nan")
    with pytest.raises(NonFiniteLossError, match=r"D_loss.* on rank 0 .*at image 6.*optimizer\.lr.*loss\.r1_gamma"):
        step(batch, SETTINGS, 6)
    assert_same_bits(state(nets), before)


def test_another_workers_infinity_stops_this_one_too(feed):
    nets = networks()
    before = state(nets)

    class Other(Recorder):
        rank = 1

        def all_reduce(self, tensor):
            tensor[-1] += float("inf")

    with pytest.raises(NonFiniteLossError, match="the gradient of D became NaN or infinite at image 12"):
        Step(nets, RELATIVISTIC, Other())(feed.batch(0, 6), SETTINGS, 12)
    assert_same_bits(state(nets), before)


def test_an_infinity_in_the_generators_phase_leaves_the_generator(feed):
    nets, sound = networks(), networks()
    before = state(nets)

    class Late(Recorder):
        def all_reduce(self, tensor):
            super().all_reduce(tensor)
            if len(self.reduced) == 2:
                tensor[0] = float("nan")

    with pytest.raises(NonFiniteLossError, match="the gradient of G became NaN or infinite at image 0"):
        Step(nets, RELATIVISTIC, Late())(feed.batch(0, 6), SETTINGS, 0)
    after = state(nets)
    for index in (0, 2, 3):
        assert_same_bits(after[index], before[index])
    Step(sound, RELATIVISTIC, SingleWorker(CPU))(feed.batch(0, 6), SETTINGS, 0)
    assert_same_bits(after[1], sound.D.state_dict())


def test_gradients_of_one_piece_set_off_while_they_are_computed_and_of_several_at_the_end(feed, monkeypatch):
    computing = []

    class Watched(Recorder):
        def begin_all_reduce(self, tensor, *, bf16=False):
            computing.append((torch._C._current_graph_task_id() != -1, bf16))
            return super().begin_all_reduce(tensor)

    for changes, wanted in (
        ({}, [(True, False)] * 2),
        ({"accumulate": 2}, [(False, False)] * 2),
        ({"reduce_precision": "bf16"}, [(True, True)] * 2),
    ):
        computing.clear()
        Step(networks(), RELATIVISTIC, Watched())(feed.batch(0, 6), replace(SETTINGS, **changes), 0)
        assert computing == wanted
