"""The generator for few images: its shape, and which stages excite which."""

import pytest
import torch
from torch import nn

from gan.networks.few_shot_shape import convolutions_of
from gan.networks.skip_excitation import Excitation, SkipExcitationGenerator


def generator(widths=(12, 8, 8, 4, 4, 2), **changes):
    torch.manual_seed(0)
    shape = {"base": 4, "channels": 3, "num_classes": 3, "latent_dim": 5, "embedding_dim": 2, "widths": widths}
    return SkipExcitationGenerator(**shape | changes)


@pytest.mark.parametrize(("widths", "base", "side"), [((4,), 4, 4), ((4, 4), 7, 14), ((8, 8, 4, 4, 4), 4, 64)])
def test_every_stage_after_the_first_doubles_the_side(widths, base, side):
    images = generator(widths, base=base)(torch.randn(2, 5), torch.tensor([0, 2]))
    assert images.shape == (2, 3, side, side)
    assert float(images.detach().abs().max()) <= 1.0


def test_stages_from_the_fifth_up_are_excited_by_the_one_four_before():
    G = generator()
    assert [(each.inner.in_channels, each.inner.out_channels) for each in G.excitations] == [(12, 4), (8, 2)]
    assert [convolutions_of(index) for index in (1, 2, 3, 4)] == [2, 1, 2, 1]
    assert [sum(isinstance(each, nn.Conv2d) for each in stage) for stage in G.stages] == [2, 1, 2, 1, 2]


def test_an_excitation_is_a_factor_for_each_channel_of_each_image():
    excitation = Excitation(3, 5, base=4, side=8)
    factors = excitation(torch.randn(2, 3, 8, 8)).detach()
    assert factors.shape == (2, 5, 1, 1)
    assert 0.0 < float(factors.min()) < float(factors.max()) < 1.0


def test_a_coarse_stage_decides_which_channels_of_a_fine_one_count():
    G = generator(num_classes=0).eval()
    z, labels = torch.randn(1, 5), torch.tensor([0])
    before = G(z, labels)
    nn.init.constant_(G.excitations[0].outer.weight, -1e3)
    nn.init.constant_(G.excitations[0].inner.weight, 1.0)
    assert not torch.equal(before, G(z, labels))


def test_a_class_changes_the_image_and_without_classes_it_is_ignored():
    z = torch.randn(1, 5).repeat(2, 1)
    one, other = generator().eval()(z, torch.tensor([0, 1]))
    assert not torch.equal(one, other)
    one, other = generator(num_classes=0).eval()(z, torch.tensor([0, 1]))
    assert torch.equal(one, other)
