"""The projected discriminator: how many logits, what of it is trained, and what comes back by itself."""

import pytest
import torch

from gan.networks.few_shot_shape import mixed_widths
from gan.networks.projected import Head, ProjectedDiscriminator, RandomMixing


def discriminator(num_classes=3, **changes):
    torch.manual_seed(0)
    shape = {"channels": 3, "num_classes": num_classes, "embedding_dim": 4, "feature_side": 64, "mixed_width": 2}
    return ProjectedDiscriminator(**shape | changes)


def judged(D, images, labels=(0, 2)):
    labels = torch.tensor(labels)
    return D(images, labels, labels)


@pytest.mark.parametrize(("side", "logits"), [(64, 4), (128, 4), (160, 16), (256, 100)])
def test_every_place_of_four_heads_is_a_logit(features, side, logits):
    assert judged(discriminator(feature_side=side), torch.zeros(2, 3, 32, 32)).shape == (2, logits)


@pytest.mark.parametrize("side", [16, 64, 256])
def test_images_of_any_side_and_grey_ones(features, side):
    D = discriminator().eval()
    grey = torch.rand(2, 1, side, side)
    torch.testing.assert_close(judged(D, grey), judged(D, grey.repeat(1, 3, 1, 1)))


def test_an_image_is_judged_by_itself(features):
    D = discriminator().eval()
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(judged(D, images)[:1], judged(D, images[:1], (0,)), rtol=1e-4, atol=1e-5)
    assert not D.mixes_images


def test_the_class_counts_and_without_classes_it_does_not(features):
    images = torch.rand(1, 3, 64, 64).repeat(2, 1, 1, 1)
    one, other = judged(discriminator().eval(), images)
    assert (one - other).abs().max() > 1e-3
    one, other = judged(discriminator(num_classes=0).eval(), images)
    assert torch.equal(one, other)


def test_heads_alone_are_trained_and_kept(features):
    D = discriminator()
    assert {name.split(".")[0] for name, _ in D.named_parameters()} == {"heads"}
    assert {name.split(".")[0] for name in D.state_dict()} == {"heads"}


def test_a_checkpoint_gives_the_same_logits_in_another_process_of_mind(features):
    D, images = discriminator().eval(), torch.rand(2, 3, 64, 64)
    torch.manual_seed(7)
    again = ProjectedDiscriminator(channels=3, num_classes=3, embedding_dim=4, feature_side=64, mixed_width=2).eval()
    assert not torch.equal(judged(again, images), judged(D, images))
    again.load_state_dict(D.state_dict())
    assert torch.equal(judged(again, images), judged(D, images))


def test_random_mixing_is_frozen_by_a_golden_number_and_keeps_the_scale():
    mixing = RandomMixing(mixed_widths(2, 4))
    assert mixing.weight_0[0, :3, 0, 0].tolist() == pytest.approx(GOLDEN, abs=1e-6)
    torch.manual_seed(0)
    features = [torch.randn(2, width, side, side) for width, side in ((24, 16), (40, 8), (112, 4), (320, 2))]
    mixed = RandomMixing(mixed_widths(64, 4))(features)
    assert [each.shape[1] for each in mixed] == [64, 128, 256, 512]
    assert all(0.5 < float(each.std()) < 1.5 for each in mixed)
    assert not list(mixing.state_dict())


GOLDEN = [-0.126078, -0.458310, 0.174746]


def test_a_coarse_scale_reaches_the_finer_ones_and_not_the_other_way():
    mixing = RandomMixing(mixed_widths(2, 4))
    features = [torch.randn(1, width, side, side) for width, side in ((24, 16), (40, 8), (112, 4), (320, 2))]
    before = mixing(features)
    for changed in range(4):
        others = [each + (scale == changed) for scale, each in enumerate(features)]
        differs = [not torch.equal(one, other) for one, other in zip(before, mixing(others), strict=True)]
        assert differs == [scale <= changed for scale in range(4)]


def test_layers_of_a_head_are_spectrally_normalised():
    torch.manual_seed(0)
    head = Head(4, 2, 4, 3, 5)
    for _ in range(30):  # its power iteration
        head(torch.randn(2, 4, 16, 16), torch.tensor([0, 1]))
    head.eval()
    weights = [*(layer.weight for layer in head.layers), head.output.weight, head.embedding.weight]
    for weight in weights:
        assert float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) == pytest.approx(1.0, rel=0.02)
