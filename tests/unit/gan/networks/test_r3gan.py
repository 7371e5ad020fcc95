"""R3GAN's networks: shapes, their start, and what an image and a logit depend on."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gan.networks.initialisation import LEAKY_GAIN
from gan.networks.r3gan import R3Discriminator, R3Generator
from gan.networks.residual import ResidualBlock

SHAPE = {"base": 4, "channels": 3, "num_classes": 10, "embedding_dim": 4, "widths": (16, 8)}
BLOCKS = {
    "blocks_per_stage": 1,
    "group_width": 8,
    "expansion": 1,
    "patch": 1,
    "class_scale": "unit",
    "transitions": "all",
    "fp32_stages": 1,
}


def generator(**changes):
    torch.manual_seed(0)
    return R3Generator(**SHAPE | BLOCKS | {"latent_dim": 6, "upsampling": "edges"} | changes)


def discriminator(**changes):
    torch.manual_seed(0)
    return R3Discriminator(**SHAPE | BLOCKS | changes)


def shaken(network):
    """At the start the residual branches give nothing; a shake lets every weight count."""
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network


def score(D, images, labels):
    return D(images, labels, torch.arange(len(labels)))


@pytest.mark.parametrize("base", [4, 7])
@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize("num_classes", [0, 10])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(base, patch, num_classes, channels):
    shape = {"base": base, "patch": patch, "num_classes": num_classes, "channels": channels}
    G, D, labels = generator(**shape), discriminator(**shape), torch.tensor([0, 1, 9])
    images = G(torch.randn(3, 6), labels)
    assert images.shape == (3, channels, 2 * base * patch, 2 * base * patch)
    assert images.dtype == torch.float32
    assert (G.latent_dim, G.num_classes, D.num_classes, D.mixes_images) == (6, num_classes, num_classes, False)
    logits = score(D, images, labels)
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


def test_one_stage_and_many_blocks():
    changes = {"widths": (8,), "blocks_per_stage": 3}
    labels = torch.tensor([0])
    images = generator(**changes)(torch.randn(1, 6), labels)
    assert images.shape == (1, 3, 4, 4)
    assert score(discriminator(**changes), images, labels).shape == (1,)
    for network in (generator(blocks_per_stage=3), discriminator(blocks_per_stage=3)):
        assert sum(isinstance(module, ResidualBlock) for module in network.modules()) == 2 * 3


def test_an_empty_slice_is_no_failure():
    none = torch.zeros(0, dtype=torch.int64)
    images = generator()(torch.zeros(0, 6), none)
    assert images.shape == (0, 3, 8, 8)
    assert score(discriminator(), images, none).shape == (0,)


def spread(weight, std):
    """Whether weights have mean 0 and this standard deviation, as far as so many can say."""
    count = weight.numel()
    assert weight.std().item() == pytest.approx(std, rel=4 / math.sqrt(2 * count))
    assert abs(weight.mean().item()) < 4 * std / math.sqrt(count)


def blocks_start(network, depth):
    gain = LEAKY_GAIN * depth**-0.25
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == depth
    for block in blocks:
        spread(block.conv1.weight, gain / math.sqrt(block.conv1.weight[0].numel()))
        spread(block.conv2.weight, gain / math.sqrt(block.conv2.weight[0].numel()))
        assert block.conv3.weight.abs().max() == 0


@pytest.mark.parametrize("patch", [1, 2])
def test_how_every_layer_of_the_generator_starts(patch):
    wide = {"widths": (64, 48, 32), "blocks_per_stage": 2, "embedding_dim": 32, "latent_dim": 64, "patch": patch}
    G = generator(**wide)
    blocks_start(G, 6)
    spread(G.embedding.weight, 1.0)
    spread(G.basis, 1.0)
    spread(G.modulation.weight, 96**-0.5)
    for transition, width in zip(G.transitions, (64, 48), strict=True):
        spread(transition.weight, width**-0.5)
    spread(G.to_image.weight, (32 * (1 if patch == 1 else 9)) ** -0.5)


@pytest.mark.parametrize("patch", [1, 2])
def test_how_every_layer_of_the_discriminator_starts(patch):
    D = discriminator(widths=(64, 48, 32), blocks_per_stage=2, embedding_dim=32, patch=patch)
    blocks_start(D, 6)
    spread(D.embedding.weight, 1.0)
    spread(D.from_image.weight, (3 * patch**2 * (1 if patch == 1 else 9)) ** -0.5)
    for transition, width in zip(D.transitions, (32, 48), strict=True):
        spread(transition.weight, width**-0.5)
    assert D.head.weight.shape == (64, 4, 4)
    spread(D.head.weight, 1 / 4)
    spread(D.output.weight, 64**-0.5)


@pytest.mark.parametrize("widths", [(64, 32), (32, 32, 32, 32)])
def test_images_and_logits_start_at_the_scale_of_one(widths):
    shape = {"widths": widths, "blocks_per_stage": 2, "embedding_dim": 64}
    labels = torch.arange(64) % 10
    images = generator(**shape, latent_dim=64)(torch.randn(64, 64), labels)
    assert 0.2 < images.std() < 2.0
    side = images.shape[2]
    assert 0.05 < score(discriminator(**shape), torch.randn(64, 3, side, side), labels).std() < 2.0


def test_the_generators_layers_by_hand():
    G = shaken(generator())
    z, labels = torch.randn(2, 6), torch.tensor([3, 7])
    style = torch.cat([z, G.embedding.weight[labels]], dim=1) @ G.modulation.weight.T
    x = G.stages[0](G.basis[None] * style[:, :, None, None])
    x = F.interpolate(G.transitions[0](x), size=(8, 8), mode="bilinear")
    torch.testing.assert_close(G(z, labels), G.to_image(G.stages[1](x)))


def test_zeros_beyond_the_edges_of_what_is_doubled():
    G = shaken(generator(upsampling="zeros"))
    z, labels = torch.randn(2, 6), torch.tensor([3, 7])
    style = torch.cat([z, G.embedding.weight[labels]], dim=1) @ G.modulation.weight.T
    x = G.transitions[0](G.stages[0](G.basis[None] * style[:, :, None, None]))
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    x = F.conv_transpose2d(x, torch.outer(taps, taps).expand(8, 1, 4, 4), stride=2, padding=1, groups=8)
    torch.testing.assert_close(G(z, labels), G.to_image(G.stages[1](x)))


@pytest.mark.parametrize("classes", [10, 40])
def test_published_class_embeddings_begin_as_linear_layers_on_one_hot_classes(classes):
    shape = {"class_scale": "fan_in", "num_classes": classes, "embedding_dim": 96}
    G, D = generator(**shape), discriminator(**shape)
    spread(G.embedding.weight, classes**-0.5)
    spread(D.embedding.weight, (classes * 96) ** -0.5)
    images, labels = torch.randn(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    features = []
    D.output.register_forward_hook(lambda module, inputs, output: features.append(output))
    logits = score(shaken(D), images, labels)
    torch.testing.assert_close(logits, (features[0] * D.embedding.weight[labels]).sum(1))


@pytest.mark.parametrize(("fp32_stages", "wanted"), [(0, [False] * 3), (1, [True, False, False]), (3, [True] * 3)])
def test_which_stages_stay_in_fp32(fp32_stages, wanted):
    """The smallest of both networks; D's head and logit always do."""
    shape = {"widths": (16, 8, 8), "fp32_stages": fp32_stages}
    G, D = generator(**shape), discriminator(**shape)
    seen = {"G": [], "D": []}
    for name, network in (("G", G), ("D", D)):
        for blocks in network.stages:
            blocks.register_forward_hook(
                lambda module, inputs, output, name=name: seen[name].append(output.dtype == torch.float32)
            )
            blocks[0].conv1.register_forward_hook(
                lambda module, inputs, output, name=name: seen[name].append(output.dtype == torch.float32)
            )
    head = []
    D.head.register_forward_pre_hook(lambda module, inputs: head.append(inputs[0].dtype))
    labels = torch.tensor([0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        images = G(torch.randn(2, 6), labels)
        logits = D(images, labels, labels)
    assert images.dtype == torch.bfloat16 or fp32_stages == 3
    assert (head, logits.dtype) == ([torch.float32], torch.float32)
    inner = {name: found[::2] for name, found in seen.items()}
    assert inner == {"G": wanted, "D": wanted[::-1]}


@pytest.mark.parametrize("transitions", ["all", "changes"])
@pytest.mark.parametrize("fp32_stages", [0, 1, 2])
def test_behind_stages_in_fp32_activations_are_bf16_all_the_way(transitions, fp32_stages):
    """Also where neither a convolution nor anything else that autocast looks after stands between two stages."""
    G, seen = generator(widths=(8, 8, 8), fp32_stages=fp32_stages, transitions=transitions), []
    for blocks in G.stages:
        blocks.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        G(torch.randn(2, 6), torch.tensor([0, 1]))
    assert seen == [torch.float32] * fp32_stages + [torch.bfloat16] * (3 - fp32_stages)


def test_the_discriminators_layers_by_hand_and_the_class_projected_on():
    D = shaken(discriminator())
    images = torch.randn(3, 3, 8, 8)
    x = D.stages[0](D.from_image(images))
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    x = F.conv2d(x, torch.outer(taps, taps).expand(8, 1, 4, 4), stride=2, padding=1, groups=8)
    x = D.stages[1](D.transitions[0](x))
    found = F.conv2d(x, D.head.weight[:, None], groups=16).flatten(1)
    features = found @ D.output.weight.T
    for label in range(3):
        wanted = (features @ D.embedding.weight[label]) / 4**0.5
        torch.testing.assert_close(score(D, images, torch.full((3,), label)), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("patch", [2, 4])
def test_a_patch_is_folded_into_channels_and_back(patch):
    G, D = shaken(generator(patch=patch)), shaken(discriminator(patch=patch))
    z, labels = torch.randn(2, 6), torch.tensor([0, 1])
    seen = []
    G.to_image.register_forward_hook(lambda module, inputs, output: seen.append(output))
    D.from_image.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    images = G(z, labels)
    score(D, images, labels)
    unfolded, folded = seen
    assert torch.equal(folded, unfolded)
    for channel in range(3):
        for y in range(patch):
            for x in range(patch):
                part = unfolded[:, channel * patch**2 + y * patch + x]
                assert torch.equal(images[:, channel, y::patch, x::patch], part)


def test_labels_count_if_there_are_classes_and_only_then():
    z, images = torch.randn(1, 6).repeat(2, 1), torch.randn(1, 3, 8, 8).repeat(2, 1, 1, 1)
    labels, others = torch.tensor([0, 1]), torch.tensor([-1, 99])
    drawn, logits = shaken(generator())(z, labels), score(shaken(discriminator()), images, labels)
    assert not torch.allclose(drawn[0], drawn[1], atol=1e-3)
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)
    G, D = shaken(generator(num_classes=0)), shaken(discriminator(num_classes=0))
    assert torch.equal(G(z, labels), G(z, others))
    assert torch.equal(score(D, images, labels), score(D, images, others))


def test_no_image_depends_on_another():
    z = torch.randn(3, 6, requires_grad=True)
    shaken(generator())(z, torch.tensor([0, 1, 2]))[1].square().sum().backward()
    assert z.grad[1].abs().min() > 0
    assert z.grad[[0, 2]].abs().max() == 0


def test_no_logit_depends_on_another_image_nor_on_seeds():
    images = torch.randn(3, 3, 8, 8, requires_grad=True)
    D = shaken(discriminator())
    score(D, images, torch.tensor([0, 1, 2]))[1].backward()
    assert images.grad[1].abs().max() > 0
    assert images.grad[[0, 2]].abs().max() == 0
    labels = torch.tensor([0, 1, 2])
    assert torch.equal(D(images, labels, torch.arange(3)), D(images, labels, torch.arange(3) + 100))


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("num_classes", [0, 10])
def test_every_parameter_and_every_pixel_is_used(patch, num_classes):
    shape = {"blocks_per_stage": 2, "patch": patch, "num_classes": num_classes}
    G, D = shaken(generator(**shape)), shaken(discriminator(**shape))
    labels = torch.arange(20) % 10
    G(torch.randn(20, 6), labels).square().sum().backward()
    images = torch.randn(20, 3, 8 * patch, 8 * patch, requires_grad=True)
    score(D, images, labels).square().sum().backward()
    for name, parameter in (*G.named_parameters(), *D.named_parameters()):
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert images.grad.abs().amin() > 0
