"""The exported program: one graph for every batch size, equal to the eager module, free of this project."""

import numpy as np
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.generation.export import PROGRAM_FORMAT_VERSION, SeededGenerator, export_program
from gan.generation.sampling import sample_uint8
from gan.networks.build import build_generator


def generator(num_classes):
    torch.manual_seed(0)
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
    G = build_generator(network, channels=3, num_classes=num_classes)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return G


@pytest.fixture(scope="module")
def conditional():
    eager = SeededGenerator(generator(3))
    return eager, export_program(eager)


def rows(count, classes=3):
    seeds = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, count)
    seeds[: count // 2] = np.arange(count // 2)
    labels = np.arange(count) % (classes + 1) - 1
    return torch.from_numpy(np.stack([seeds, labels], axis=1))


@pytest.mark.parametrize("count", [1, 2, 7, 256])
def test_the_program_equals_the_module(conditional, count):
    eager, program = conditional
    wanted, found = eager(rows(count)), program.module()(rows(count))
    assert found.shape == (count, 8, 8, 3)
    assert found.dtype == torch.uint8
    assert (found.int() - wanted.int()).abs().max() <= 1
    assert wanted.float().std() > 20


def test_an_image_does_not_depend_on_its_batch(conditional):
    module = conditional[1].module()
    together = module(rows(7))
    alone = torch.cat([module(row[None]) for row in rows(7)])
    assert (together.int() - alone.int()).abs().max() <= 1


def test_the_whole_seed_counts(conditional):
    seeds = [5, 5 + 2**32, 5 - 2**63, -5, 5 + 2**62]
    images = conditional[1].module()(torch.tensor([[seed, 1] for seed in seeds]))
    assert len({image.numpy().tobytes() for image in images}) == len(seeds)


def test_an_unconditional_program_ignores_the_label():
    eager = SeededGenerator(generator(0))
    module = export_program(eager).module()
    inputs = torch.tensor([[5, -1], [5, 0], [5, 99], [6, -1]])
    images = module(inputs)
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])
    assert not torch.equal(images[0], images[3])
    assert (images.int() - eager(inputs).int()).abs().max() <= 1


@pytest.mark.parametrize(
    "network",
    [
        NetworkConfig(architecture="dcgan", widths=(8,), base=7, latent_dim=4, embedding_dim=4),
        NetworkConfig(architecture="projected", widths=(8, 4, 4, 4, 2), latent_dim=4, embedding_dim=4),
        NetworkConfig(widths=(8,), base=7, patch=2, latent_dim=4, embedding_dim=4, group_width=4, expansion=1),
    ],
)
def test_every_architecture_can_be_exported(network):
    torch.manual_seed(0)
    G = build_generator(network, channels=1, num_classes=3)
    G(torch.randn(50, 4), torch.arange(50) % 3)  # running statistics of batch normalisation, where there are any
    eager = SeededGenerator(G)
    images = export_program(eager).module()(rows(5))
    assert images.shape == (5, network.resolution, network.resolution, 1)
    assert (images.int() - eager(rows(5)).int()).abs().max() <= 1
    assert torch.equal(eager(rows(5))[2:], eager(rows(5)[2:]))


def test_the_module_draws_what_training_shows():
    G = generator(3)
    seeds, labels = torch.arange(6), torch.tensor([0, 1, 2, -1, -1, -1])
    eager = SeededGenerator(G)
    wanted = sample_uint8(G.eval(), seeds, labels, torch.device("cpu"))
    np.testing.assert_array_equal(eager(torch.stack([seeds, labels], dim=1)).numpy(), wanted)


def test_the_module_is_a_frozen_copy():
    G = generator(3).train()
    eager = SeededGenerator(G)
    before = eager(rows(2))
    torch.nn.init.zeros_(G.to_image.weight)
    assert torch.equal(eager(rows(2)), before)
    assert G.training
    assert not eager.G.training
    assert not any(parameter.requires_grad for parameter in eager.parameters())
    assert all(parameter.requires_grad for parameter in G.parameters())


def test_the_format_version_is_frozen():
    # It goes up exactly when the golden latents of test_keyed_random change.
    assert PROGRAM_FORMAT_VERSION == 1
