"""Truncated programs: those of the registered weights, nearer to the mean of each class, or a sentence."""

import io

import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.errors import TruncationError, UnsafeModelError
from gan.generation.export import SeededGenerator, export_program
from gan.generation.program_file import load_program_bytes
from gan.generation.sampling import to_uint8
from gan.generation.truncation import truncated_program
from gan.keyed_random import Purpose, normal
from gan.networks.build import build_generator

RESIDUAL = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
DCGAN = NetworkConfig(architecture="dcgan", widths=(8,), latent_dim=4, embedding_dim=4)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 2, 2])
ROWS = torch.stack([torch.arange(8) * 10**15, LABELS], dim=1)


def trained(network, num_classes=3, seed=0):
    torch.manual_seed(seed)
    G = build_generator(network, channels=3, num_classes=num_classes)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():  # running statistics of batch normalisation, where there are any
        G(torch.randn(50, network.latent_dim), torch.arange(50) % max(1, num_classes))
    return G.eval().requires_grad_(False)


def exported(G):
    file = io.BytesIO()
    torch.export.save(export_program(SeededGenerator(G)), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def registered():
    return exported(trained(RESIDUAL))


def drawn(content, rows=ROWS):
    with torch.no_grad():
        return load_program_bytes(content, "the program")(rows)


@pytest.mark.parametrize(("network", "num_classes"), [(RESIDUAL, 3), (RESIDUAL, 0), (DCGAN, 3)])
def test_images_are_those_of_the_latent_drawn_towards_its_mean(network, num_classes):
    G = trained(network, num_classes)
    content = exported(G)
    found = drawn(truncated_program(content, "it", network, num_classes=num_classes, psi=0.7))
    wanted = to_uint8(G(0.7 * normal(ROWS[:, 0], Purpose.LATENT, 4), LABELS if num_classes else LABELS * 0))
    assert (found.int() - wanted.int()).abs().max() <= 1
    assert (found.int() - drawn(content).int()).abs().max() > 10


@pytest.mark.parametrize("network", [RESIDUAL, DCGAN])
def test_the_first_layer_is_drawn_towards_its_mean_of_the_class(network):
    """By the paper's equation, with the mean over many z."""
    G = trained(network)
    first = G.modulation if network is RESIDUAL else G.layers[0]
    found = []
    first.register_forward_hook(lambda module, given, out: found.append(out.flatten(1)))
    z, label = normal(torch.arange(20_000), Purpose.LATENT, 4), torch.tensor([2])
    G(z, label.expand(len(z)))
    G(0.7 * z[:5], label.expand(5))
    mean = found[0].mean(dim=0)
    torch.testing.assert_close(found[1], mean + 0.7 * (found[0][:5] - mean), atol=0.02, rtol=0)


def test_a_small_psi_leaves_one_image_of_each_class_and_a_seed_its_class(registered):
    rows = torch.stack([torch.arange(50), torch.full((50,), -1)], dim=1)
    means = drawn(truncated_program(registered, "it", RESIDUAL, num_classes=3, psi=1e-6), torch.cat([rows, ROWS]))
    assert (means[50].int() - means[51].int()).abs().max() > 10
    images = drawn(registered, rows)
    for label in range(3):
        of_class = means[50:][label == LABELS].int()
        assert (of_class - of_class[0]).abs().max() <= 1
        mine = drawn(registered, rows * torch.tensor([1, 0]) + torch.tensor([0, label]))
        same = ((mine.int() - images.int()).abs() <= 1).flatten(1).all(dim=1)
        assert same.any()
        assert ((means[:50][same].int() - means[50 + label].int()).abs() <= 1).all()


@pytest.mark.parametrize(
    ("network", "num_classes"),
    [
        (DCGAN, 3),
        (RESIDUAL.model_copy(update={"widths": (8, 16)}), 3),
        (RESIDUAL.model_copy(update={"blocks_per_stage": 10**6}), 3),
        (RESIDUAL, 2),
        (RESIDUAL, 0),
    ],
)
def test_another_network_is_a_sentence(registered, network, num_classes):
    said = r"m version 1 cannot be truncated.*the weights are those of another network.* release\.truncation 1, or"
    with pytest.raises(TruncationError, match=said):
        truncated_program(registered, "m version 1", network, num_classes=num_classes, psi=0.5)


class Other(SeededGenerator):
    """Draws what its network does not."""

    def forward(self, rows):
        return super().forward(rows) + 9


def test_so_is_a_program_that_draws_what_its_network_does_not():
    file = io.BytesIO()
    torch.export.save(export_program(Other(trained(RESIDUAL))), file)
    with pytest.raises(TruncationError, match=r"images that differ by up to \d+ grey levels"):
        truncated_program(file.getvalue(), "it", RESIDUAL, num_classes=3, psi=0.5)


def test_nothing_but_a_program_is_read():
    with pytest.raises(UnsafeModelError):
        truncated_program(b"no archive", "it", RESIDUAL, num_classes=3, psi=0.5)
