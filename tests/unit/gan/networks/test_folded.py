"""The generator for drawing: the images of the one that it is made of, in the same places, with its weights alone."""

import pytest
import torch
from torch import nn

from gan.networks.dcgan import DCGenerator


def trained(*, base, widths, num_classes, channels):
    """A generator whose normalisations have seen images, with weights large enough that everything counts."""
    torch.manual_seed(0)
    G = DCGenerator(base=base, channels=channels, num_classes=num_classes, latent_dim=6, embedding_dim=4, widths=widths)
    for parameter in G.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.3)
    G(2.0 * torch.randn(200, 6), torch.arange(200) % max(1, num_classes))
    return G.eval().requires_grad_(False)


@pytest.mark.parametrize("base", [4, 7])
@pytest.mark.parametrize("widths", [(8,), (16, 8), (8, 4, 6)])
@pytest.mark.parametrize("num_classes", [0, 10])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_draws_the_same_images(base, widths, num_classes, channels):
    G = trained(base=base, widths=widths, num_classes=num_classes, channels=channels)
    z, labels = torch.randn(5, 6), torch.arange(5)
    wanted = G(z, labels)
    assert wanted.std() > 0.05
    found = G.for_drawing().eval()(z, labels)
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5)


def test_nothing_is_normalised_any_more_and_the_other_stays_as_it_is():
    G = trained(base=4, widths=(16, 8), num_classes=3, channels=1)
    before = {name: value.clone() for name, value in G.state_dict().items()}
    folded = G.for_drawing()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    nn.init.zeros_(folded.last.weight)
    nn.init.zeros_(folded.middle[0].weight)
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())
