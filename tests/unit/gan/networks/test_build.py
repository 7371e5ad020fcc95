"""Every key of a network's configuration reaches its argument."""

import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.networks.build import build_discriminator, build_generator
from gan.networks.dcgan import DCDiscriminator, DCGenerator
from gan.networks.r3gan import R3Discriminator, R3Generator
from gan.networks.residual import ResidualBlock


def both(network, channels=3, num_classes=5):
    shape = {"channels": channels, "num_classes": num_classes}
    return build_generator(network, **shape), build_discriminator(network, **shape)


def test_r3gan():
    network = NetworkConfig(
        widths=(16, 8), latent_dim=6, embedding_dim=4, base=7, blocks_per_stage=3, group_width=8, expansion=2, patch=2
    )
    G, D = both(network)
    assert (type(G), type(D)) == (R3Generator, R3Discriminator)
    assert (G.latent_dim, G.num_classes, D.num_classes, G.patch, D.patch) == (6, 5, 5, 2, 2)
    assert G.basis.shape == (16, 7, 7)
    assert G.embedding.weight.shape == D.embedding.weight.shape == (5, 4)
    for part in (G, D):
        blocks = [module for module in part.modules() if isinstance(module, ResidualBlock)]
        assert len(blocks) == 6
        assert {(block.conv2.in_channels, block.conv2.groups) for block in blocks} == {(32, 4), (16, 2)}
    assert G(torch.randn(2, 6), torch.tensor([0, 4])).shape == (2, 3, 28, 28)


def test_dcgan():
    network = NetworkConfig(
        architecture="dcgan",
        widths=(16, 8),
        latent_dim=6,
        embedding_dim=4,
        base=7,
        discriminator_normalisation="spectral",
        dropout=0.3,
    )
    G, D = both(network)
    assert (type(G), type(D)) == (DCGenerator, DCDiscriminator)
    assert (G.latent_dim, D.dropout, D.mixes_images) == (6, 0.3, False)
    assert any(name.endswith("original") for name, _ in D.named_parameters())
    assert G(torch.randn(2, 6), torch.tensor([0, 4])).shape == (2, 3, 28, 28)
    batch = network.model_copy(update={"discriminator_normalisation": "batch"})
    assert both(batch)[1].mixes_images


@pytest.mark.parametrize("architecture", ["r3gan", "dcgan"])
def test_convolutions_lie_in_memory_as_activations_do(architecture):
    for part in both(NetworkConfig(architecture=architecture, widths=(16, 8))):
        weights = [parameter for parameter in part.parameters() if parameter.dim() == 4]
        assert weights
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


@pytest.mark.parametrize("architecture", ["r3gan", "dcgan"])
def test_without_classes_there_is_no_embedding(architecture):
    for part in both(NetworkConfig(architecture=architecture, widths=(16, 8)), channels=1, num_classes=0):
        assert part.num_classes == 0
        assert part.embedding is None


def test_the_same_seed_gives_the_same_weights():
    torch.manual_seed(3)
    first = both(NetworkConfig(widths=(16, 8)))
    torch.manual_seed(3)
    second = both(NetworkConfig(widths=(16, 8)))
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
