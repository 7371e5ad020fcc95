"""The gradient penalty against gradients known in closed form."""

import pytest
import torch

from gan.networks.discriminator import Discriminator
from gan.penalties import gradient_norms


def test_a_linear_discriminator_has_its_weights_norm_everywhere():
    weight = torch.tensor([[[3.0, 4.0], [0.0, 12.0]]])
    images = torch.randn(5, 1, 2, 2, requires_grad=True)
    assert gradient_norms((images * weight).sum((1, 2, 3)), images).tolist() == pytest.approx([169.0] * 5)


def test_a_quadratic_discriminator_and_the_penaltys_own_gradient():
    scale = torch.tensor(2.0, requires_grad=True)
    images = torch.tensor([[[[1.0, 2.0]]], [[[0.0, -3.0]]]], requires_grad=True)
    # D(x) = s |x|^2 has gradient 2 s x, squared norm 4 s^2 |x|^2, and that has the derivative 8 s |x|^2 by s.
    norms = gradient_norms(scale * images.square().sum((1, 2, 3)), images)
    assert norms.tolist() == pytest.approx([80.0, 144.0])
    (by_scale,) = torch.autograd.grad(norms.sum(), scale)
    assert by_scale.item() == pytest.approx(8 * 2 * (5 + 9))


def test_one_pass_over_both_halves_equals_two_passes():
    torch.manual_seed(0)
    D = Discriminator(
        resolution=8,
        channels=1,
        num_classes=3,
        embedding_dim=4,
        widths=(8, 8),
        blocks_per_stage=1,
        group_width=4,
        expansion=1,
        patch=1,
    )
    for parameter in D.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    real, fake = torch.randn(2, 5, 1, 8, 8).unbind()
    labels = torch.tensor([0, 1, 2, 0, 1])

    def norms(images, labels):
        images = images.clone().requires_grad_(True)
        return gradient_norms(D(images, labels), images)

    merged = norms(torch.cat([real, fake]), labels.repeat(2))
    separate = torch.cat([norms(real, labels), norms(fake, labels)])
    assert merged.min() > 1e-4
    torch.testing.assert_close(merged, separate, rtol=1e-4, atol=1e-6)
