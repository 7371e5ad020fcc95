"""What training costs: by hand, against networks that are built, and against a real step."""

import copy
import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from gan.configuration.config import AugmentConfig, Config, DataConfig, LossConfig, NetworkConfig, TrainConfig
from gan.configuration.presets import PRESETS
from gan.configuration.schedules import has_r1, has_r2, step_settings
from gan.networks.build import build_discriminator, build_generator
from gan.networks.cost import D_COPIES, FP32_BYTES, G_COPIES, network_cost
from gan.objective.augment import numbers_of
from gan.objective.gradients import ImagePairs, Objective, PenaltyWeights
from gan.objective.losses import LOSSES
from gan.training.context import SingleWorker
from gan.training.feed import Feed
from gan.training.step import Networks, Step

CPU = torch.device("cpu")
RESIDUAL = NetworkConfig(widths=(8, 4), latent_dim=3, embedding_dim=2, group_width=4, expansion=2)
PLAIN = NetworkConfig(architecture="dcgan", widths=(6, 4), latent_dim=4)
NO_PENALTY = {"r1_gamma": 0.0, "r2_gamma": 0.0}


def tiny(network=RESIDUAL, *, batch_size=4, accumulate=1, generator_every=1, own_batch=False, operations=(), **loss):
    return Config(
        data=DataConfig(resolution=network.resolution),
        network=network,
        loss=LossConfig(**loss),
        augment=AugmentConfig(operations=operations),
        train=TrainConfig(
            batch_size=batch_size,
            accumulate=accumulate,
            generator_every=generator_every,
            fresh_generator_batch=own_batch,
            total_kimg=1.0,
        ),
    )


def conv(side, inputs, outputs, kernel, groups=1):
    """`side` is that of the output; of the input where the convolution is transposed."""
    return 2 * side**2 * kernel**2 * (inputs // groups) * outputs


def block(side, width, groups):
    inner = 2 * width
    return conv(side, width, inner, 1) + conv(side, inner, inner, 3, groups) + conv(side, inner, width, 1)


def test_operations_of_the_residual_networks_by_hand():
    cost = network_cost(tiny(), 1, 5)
    assert cost.generator_flops == (
        2 * (3 + 2) * 8 + block(4, 8, groups=4) + conv(4, 8, 4, 1) + block(8, 4, groups=2) + conv(8, 4, 1, 1)
    )
    down = conv(4, 4, 4, 4, groups=4)
    assert cost.discriminator_flops == (
        (conv(8, 1, 4, 1) + block(8, 4, groups=2) + down + conv(4, 4, 8, 1) + block(4, 8, groups=4)) + 2 * 8 * 2
    )


def test_operations_of_dcgan_by_hand():
    cost = network_cost(tiny(PLAIN, **NO_PENALTY), 3, 0)
    assert cost.generator_flops == conv(1, 4, 6, 4) + conv(4, 6, 4, 4) + conv(8, 4, 3, 4)
    assert cost.discriminator_flops == conv(8, 3, 4, 4) + conv(4, 4, 6, 4) + conv(1, 6, 1, 4)


def as_built(cost, config):
    """The figures that the fixture `built` gives."""
    learned = (cost.generator_parameters, cost.discriminator_parameters)
    return (*learned, cost.generator_flops, cost.discriminator_flops, kept_bytes(config, cost))


@pytest.mark.parametrize(("channels", "num_classes"), [(3, 10), (1, 0)])
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_costs_what_its_networks_do(name, channels, num_classes, built, request):
    config = PRESETS[name]()
    if config.network.architecture == "projected":
        request.getfixturevalue("features")
    train = config.train.model_copy(update={"fresh_generator_batch": False})  # what is built passes G once
    config = config.model_copy(update={"train": train})
    assert as_built(network_cost(config, channels, num_classes), config) == built(config, channels, num_classes)


RESIDUALS = [
    {"widths": (3,), "group_width": 7, "expansion": 1},
    {"widths": (1, 1, 1), "group_width": 1, "expansion": 1, "blocks_per_stage": 2},
    {"widths": (6, 2, 8), "group_width": 2, "expansion": 3, "base": 7, "patch": 2, "blocks_per_stage": 3},
    {"widths": (1, 5), "group_width": 9, "expansion": 1, "patch": 4},
]
PLAINS = [
    {"architecture": "dcgan", "widths": widths, "base": base, "discriminator_normalisation": norm, "dropout": dropout}
    for widths, base in [((6, 4), 7), ((3,), 4), ((1, 2, 5), 4)]
    for norm, dropout in [("none", 0.3), ("spectral", 0.0), ("spectral", 0.5), ("batch", 0.2)]
]
PENALTIES = [
    NO_PENALTY,
    {"r1_gamma": 0.0, "penalty_every": 3},
    {"kind": "hinge", "gradient_penalty": 2.0, **NO_PENALTY},
    {"kind": "wasserstein", "gradient_penalty": 1.0},
]


@pytest.mark.parametrize("num_classes", [0, 5])
@pytest.mark.parametrize("shape", [*RESIDUALS, *PLAINS], ids=lambda shape: "-".join(map(str, shape.values())))
def test_odd_networks_cost_what_they_do_when_built(shape, num_classes, built):
    network = NetworkConfig(latent_dim=3, embedding_dim=5, **shape)
    for penalties in PENALTIES if network.discriminator_normalisation != "batch" else [NO_PENALTY]:
        config = tiny(network, batch_size=3, **penalties)
        assert as_built(network_cost(config, 3, num_classes), config) == built(config, 3, num_classes)


@pytest.mark.parametrize("kind", LOSSES)
def test_only_losses_of_pairs_see_real_images_in_the_generators_phase(kind):
    cost = network_cost(tiny(kind=kind, **NO_PENALTY), 1, 5)
    passes = (cost.training_flops - 3 * cost.generator_flops) / cost.discriminator_flops
    assert passes == pytest.approx(6 + 2 + LOSSES[kind].paired)


@pytest.mark.parametrize(
    ("changes", "of_G", "of_D"),
    [
        # D: forth and back for a pair; then G back, D forth and back for its phase, and forth for pairs
        ({"kind": "hinge", **NO_PENALTY}, 3, 6 + 2),
        ({"kind": "relativistic", **NO_PENALTY}, 3, 6 + 3),
        ({"kind": "relativistic"}, 3, 6 + 6 + 3),
        ({"kind": "relativistic", "r2_gamma": 0.0}, 3, 6 + 3 + 3),
        ({"kind": "relativistic", "penalty_every": 4}, 3, 6 + 6 / 4 + 3),
        ({"kind": "hinge", "generator_every": 5, **NO_PENALTY}, 1 + 2 / 5, 6 + 2 / 5),
        ({"kind": "wasserstein", "gradient_penalty": 10.0, "generator_every": 5, **NO_PENALTY}, 1.4, 6 + 6 + 2 / 5),
        ({"kind": "hinge", "gradient_penalty": 1.0, "penalty_every": 2}, 3, 6 + (6 + 6) / 2 + 2),
    ],
)
def test_a_training_step_in_forward_passes(changes, of_G, of_D):
    cost = network_cost(tiny(**changes), 1, 5)
    assert cost.training_flops == pytest.approx(of_G * cost.generator_flops + of_D * cost.discriminator_flops, abs=1)


class Counted(TorchDispatchMode):
    """Operations that are really asked for; PyTorch's formula for gradients forgets the groups of a convolution."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func._overloadpacket is torch.ops.aten.convolution_backward:
            gradient, x, weight, *_, transposed, _, _, wanted = args
            places = math.prod((x if transposed else gradient).shape[2:])
            self.count += 2 * len(x) * places * weight.numel() * (wanted[0] + wanted[1])
        elif formula := flop_registry.get(func._overloadpacket):
            self.count += formula(*args, **(kwargs or {}), out_val=result)
        return result


def real_run(config):
    torch.manual_seed(0)
    G = build_generator(config.network, channels=1, num_classes=5)
    D = build_discriminator(config.network, channels=1, num_classes=5)
    optimizers = [torch.optim.Adam(network.parameters(), fused=True) for network in (G, D)]
    objective = Objective(
        LOSSES[config.loss.kind],
        config.augment.operations,
        r1=has_r1(config.loss),
        r2=has_r2(config.loss),
        between=config.loss.gradient_penalty > 0,
    )
    return Networks(G, D, copy.deepcopy(G).requires_grad_(False), *optimizers), objective


@pytest.mark.parametrize(
    "config",
    [
        tiny(penalty_every=2),
        tiny(kind="hinge", generator_every=2, **NO_PENALTY),
        tiny(PLAIN, kind="wasserstein", gradient_penalty=10.0, generator_every=3, **NO_PENALTY),
        tiny(PLAIN.model_copy(update={"discriminator_normalisation": "batch"}), kind="nonsaturating", **NO_PENALTY),
        tiny(PLAIN.model_copy(update={"discriminator_normalisation": "spectral"}), kind="hinge"),
        tiny(penalty_every=2, accumulate=2),
        tiny(r2_gamma=0.0),
        tiny(r1_gamma=0.0),
    ],
    ids=["r3gan lazy", "hinge", "wgan-gp", "batch norm", "spectral", "in pieces", "R1 alone", "R2 alone"],
)
def test_a_real_step_asks_for_as_many_operations(config):
    nets, objective = real_run(config)
    side, size = config.network.resolution, config.train.batch_size
    images = torch.randint(256, (size, side, side, 1), dtype=torch.uint8).numpy()
    batch = Feed(
        images, torch.arange(size).numpy(), seed=0, flip=False, latent_dim=config.network.latent_dim, device=CPU
    ).batch(0, size)
    step, steps = Step(nets, objective, SingleWorker(CPU)), 6
    with Counted() as counted:
        for index in range(steps):
            step(batch, step_settings(config, index * size), index * size)
    # what the ends of a network need not do weighs more in a tiny one
    assert network_cost(config, 1, 5).training_flops == pytest.approx(counted.count / (steps * size), rel=0.12)


def kept_bytes(config, cost):
    weights = G_COPIES * cost.generator_parameters + D_COPIES * cost.discriminator_parameters
    return cost.training_bytes - FP32_BYTES * weights


def test_bytes_kept_by_hand():
    network = NetworkConfig(architecture="dcgan", widths=(2,), latent_dim=3)
    config = tiny(network, batch_size=2, kind="hinge", **NO_PENALTY)
    stage = 2 * 2 * 4 * 4  # floats: a batch of two, two channels of 4x4 pixels
    in_G = 2 * 3 + stage + 4 * 2 + stage + 2 * 8 * 8  # z, into the norm, its statistics, out of ReLU, out of tanh
    in_D = 4 * 8 * 8 + 2 * stage + 2 * stage  # both batches of images, into and out of leaky ReLU
    assert kept_bytes(config, network_cost(config, 1, 0)) == 4 * (in_G + in_D)


@pytest.mark.parametrize(
    "config",
    [
        tiny(operations=("colour", "translation")),
        tiny(r1_gamma=0.0),
        tiny(kind="hinge", **NO_PENALTY),
        tiny(PLAIN, kind="wasserstein", gradient_penalty=10.0, **NO_PENALTY),
        tiny(PLAIN, kind="hinge", gradient_penalty=1.0),
        tiny(PLAIN.model_copy(update={"discriminator_normalisation": "batch"}), kind="nonsaturating", **NO_PENALTY),
    ],
    ids=["r1 and r2", "r2", "no penalty", "wgan-gp", "all penalties", "batch norm"],
)
def test_bytes_kept_are_those_of_the_discriminators_phase(config):
    nets, objective = real_run(config)
    size, parameters = config.train.batch_size, [*nets.G.parameters(), *nets.D.parameters()]
    weights = {parameter.untyped_storage().data_ptr() for parameter in parameters}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    labels, one = torch.arange(size) % 5, torch.ones(())
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        fake_images = nets.G(torch.randn(size, nets.G.latent_dim), labels)
        draws = torch.zeros(len(labels), 2, numbers_of(config.augment.operations))
        shown = ImagePairs(torch.randn(fake_images.shape), fake_images.detach(), labels, labels, labels, draws, one)
        penalties = PenaltyWeights(one, one, one) if config.loss.penalised else None
        objective.discriminator_gradients(nets.D, shown, size, penalties)
    real = sum(storage.nbytes() for storage in kept.values())
    # the losses' own few numbers are not in the estimate
    assert kept_bytes(config, network_cost(config, 1, 5)) == pytest.approx(real, rel=0.05)


def test_in_pieces_only_one_is_kept_and_the_gradients_of_those_before():
    cost = network_cost(tiny(batch_size=64), 1, 5)
    four = network_cost(tiny(batch_size=64, accumulate=4), 1, 5)
    sixteen = network_cost(tiny(batch_size=16), 1, 5)
    of_G = kept_bytes(tiny(), cost) - kept_bytes(tiny(), network_cost(tiny(batch_size=32), 1, 5))
    assert four.training_bytes < sixteen.training_bytes + FP32_BYTES * cost.discriminator_parameters
    assert four.training_bytes > sixteen.training_bytes - of_G / 2
    assert four.training_flops - cost.training_flops == pytest.approx(cost.generator_flops, abs=1)


def test_with_a_batch_of_its_own_the_generator_passes_once_more_and_no_graph_of_it_waits():
    shared = network_cost(tiny(), 1, 5)
    own = network_cost(tiny(own_batch=True), 1, 5)
    assert own.training_flops - shared.training_flops == pytest.approx(shared.generator_flops, abs=1)
    assert own.training_bytes < shared.training_bytes


def test_what_is_kept_grows_with_the_batch_and_weights_do_not():
    one, two, four = (network_cost(tiny(batch_size=size), 1, 5) for size in (2, 4, 8))
    assert four.training_bytes - two.training_bytes == pytest.approx(2 * (two.training_bytes - one.training_bytes))
    assert one.training_flops == four.training_flops
