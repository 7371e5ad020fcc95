"""Shapes of the discriminator and what its logit depends on."""

import pytest
import torch

from gan.config import NetworkConfig
from gan.networks.build import build_discriminator

SMALL = {"latent_dim": 6, "embedding_dim": 4, "group_width": 8, "expansion": 1}


def small(*, channels=3, num_classes=10, **changes):
    torch.manual_seed(0)
    D = build_discriminator(
        NetworkConfig(**{"widths": (16, 8), **SMALL, **changes}), channels=channels, num_classes=num_classes
    )
    for parameter in D.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return D


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num_classes", [0, 10])
@pytest.mark.parametrize("patch", [1, 2])
def test_shapes(channels, num_classes, patch):
    D = small(channels=channels, num_classes=num_classes, patch=patch)
    logits = D(torch.randn(3, channels, 8 * patch, 8 * patch), torch.tensor([0, 1, 9]))
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


def test_an_empty_slice_is_no_failure():
    assert small()(torch.randn(0, 3, 8, 8), torch.zeros(0, dtype=torch.int64)).shape == (0,)


def test_the_class_is_projected_on():
    D = small()
    image = torch.randn(1, 3, 8, 8)
    features = D.output(
        D.head(
            D.stages[1](torch.nn.functional.avg_pool2d(D.transitions[0](D.stages[0](D.from_image(image))), 2))
        ).flatten(1)
    )
    for label in range(3):
        wanted = (features[0] @ D.embedding.weight[label]) / 4**0.5
        torch.testing.assert_close(D(image, torch.tensor([label]))[0], wanted)


def test_an_unconditional_discriminator_ignores_labels():
    D = small(num_classes=0)
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(D(images, torch.tensor([0, 1])), D(images, torch.tensor([-1, 99])))


def test_no_logit_depends_on_another_image():
    images = torch.randn(3, 3, 8, 8, requires_grad=True)
    small()(images, torch.tensor([0, 1, 2]))[1].backward()
    assert images.grad[1].abs().max() > 0
    assert images.grad[[0, 2]].abs().max() == 0


def test_every_pixel_and_every_parameter_is_used():
    D = small(blocks_per_stage=2, patch=2)
    images = torch.randn(4, 3, 16, 16, requires_grad=True)
    D(images, torch.arange(4)).sum().backward()
    assert images.grad.abs().amin() > 0
    for name, parameter in D.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
