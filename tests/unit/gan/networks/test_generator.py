"""Shapes of the generator, what it depends on, and its scale at the start."""

import pytest
import torch

from gan.config import NetworkConfig
from gan.networks.build import build_generator

SMALL = {"latent_dim": 6, "embedding_dim": 4, "group_width": 8, "expansion": 1}


def small(*, channels=3, num_classes=10, **changes):
    torch.manual_seed(0)
    return build_generator(
        NetworkConfig(**{"widths": (16, 8), **SMALL, **changes}), channels=channels, num_classes=num_classes
    )


def shaken(G):
    """At the start the residual branches give nothing; a shake lets every weight count."""
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return G


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num_classes", [0, 10])
@pytest.mark.parametrize("patch", [1, 2])
def test_shapes(channels, num_classes, patch):
    G = small(channels=channels, num_classes=num_classes, patch=patch)
    images = G(torch.randn(3, 6), torch.tensor([0, 1, 9]))
    assert images.shape == (3, channels, 8 * patch, 8 * patch)
    assert images.dtype == torch.float32
    assert (G.latent_dim, G.num_classes) == (6, num_classes)


def test_one_stage_and_many_blocks():
    assert small(widths=(8,), blocks_per_stage=3)(torch.randn(1, 6), torch.tensor([0])).shape == (1, 3, 4, 4)
    assert sum(type(module).__name__ == "ResidualBlock" for module in small(blocks_per_stage=3).modules()) == 6


def test_the_label_counts_if_there_are_classes_and_only_then():
    z = torch.randn(1, 6).repeat(2, 1)
    labels = torch.tensor([0, 1])
    conditional = shaken(small())(z, labels)
    assert not torch.allclose(conditional[0], conditional[1], atol=1e-3)
    unconditional = shaken(small(num_classes=0))
    torch.testing.assert_close(unconditional(z, labels), unconditional(z, torch.tensor([-1, 99])))


def test_no_image_depends_on_another():
    G = shaken(small())
    z, labels = torch.randn(3, 6, requires_grad=True), torch.tensor([0, 1, 2])
    G(z, labels)[1].square().sum().backward()
    assert z.grad[1].abs().min() > 0
    assert z.grad[[0, 2]].abs().max() == 0


def test_every_parameter_is_used():
    G = shaken(small(blocks_per_stage=2))
    G(torch.randn(8, 6), torch.arange(8)).square().sum().backward()
    for name, parameter in G.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_images_start_at_the_scale_of_images():
    torch.manual_seed(0)
    G = build_generator(NetworkConfig(), channels=3, num_classes=10)
    images = G(torch.randn(32, 64), torch.arange(32) % 10)
    assert 0.1 < images.std() < 1.5
