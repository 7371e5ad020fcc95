"""DCGAN's networks: shapes, their start, normalisations, and dropout that is drawn from seeds."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gan.keyed_random import Purpose, uniform
from gan.networks.dcgan import DCDiscriminator, DCGenerator

SHAPE = {"base": 4, "channels": 3, "num_classes": 10, "embedding_dim": 4, "widths": (16, 8)}
LABELS, SEEDS = torch.tensor([0, 1, 9]), torch.tensor([5, 6, 7])


def generator(**changes):
    torch.manual_seed(0)
    return DCGenerator(**SHAPE | {"latent_dim": 6} | changes)


def discriminator(**changes):
    torch.manual_seed(0)
    return DCDiscriminator(**SHAPE | {"normalisation": "none"} | changes)


def shaken(network):
    """Weights large enough that everything counts."""
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize("base", [4, 7])
@pytest.mark.parametrize("widths", [(8,), (16, 8), (8, 8, 8)])
@pytest.mark.parametrize("num_classes", [0, 10])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(base, widths, num_classes, channels):
    shape = {"base": base, "widths": widths, "num_classes": num_classes, "channels": channels}
    G = generator(**shape)
    images = G(torch.randn(3, 6), LABELS)
    assert images.shape == (3, channels, base * 2 ** len(widths), base * 2 ** len(widths))
    assert (G.latent_dim, G.num_classes) == (6, num_classes)
    for normalisation in ("batch", "spectral", "none"):
        D = discriminator(**shape, normalisation=normalisation)
        assert D.num_classes == num_classes
        assert D.mixes_images is (normalisation == "batch")
        logits = D(images, LABELS, SEEDS)
        assert logits.shape == (3,)
        assert logits.dtype == torch.float32


def test_images_are_between_minus_one_and_one():
    images = shaken(generator())(torch.randn(50, 6) * 100, torch.arange(50) % 10)
    assert images.abs().max() <= 1
    assert images.abs().max() > 0.99


@pytest.mark.parametrize("normalisation", ["batch", "none"])
def test_weights_start_with_a_standard_deviation_of_a_fiftieth(normalisation):
    wide = {"widths": (64, 32), "num_classes": 0}
    seen = 0
    for network in (generator(**wide), discriminator(**wide, normalisation=normalisation)):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
                mean = 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0
                count = module.weight.numel()
                assert module.weight.std().item() == pytest.approx(0.02, rel=5 / math.sqrt(2 * count))
                assert module.weight.mean().item() == pytest.approx(mean, abs=5 * 0.02 / math.sqrt(count))
                assert module.bias is None or module.bias.abs().max() == 0
                seen += 1
    # 3 convolutions up with 2 normalisations, 3 down with 1 or none
    assert seen == 5 + 3 + (normalisation == "batch")


def test_the_generators_layers_by_hand():
    G = shaken(generator())
    z = torch.randn(3, 6)
    x = torch.cat([z, G.embedding.weight[LABELS]], dim=1)
    convs = [module for module in G.modules() if isinstance(module, nn.ConvTranspose2d)]
    norms = [module for module in G.modules() if isinstance(module, nn.BatchNorm2d)]
    x = torch.einsum("ni,iohw->nohw", x, convs[0].weight)
    for norm, conv in zip(norms, convs[1:], strict=True):
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
        x = (x - mean) / (var + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
        x = F.conv_transpose2d(x.clamp(0), conv.weight, conv.bias, stride=2, padding=1)
    torch.testing.assert_close(G(z, LABELS), x.tanh(), rtol=1e-4, atol=1e-5)


def test_the_discriminators_layers_by_hand():
    D = shaken(discriminator())
    images = torch.randn(3, 3, 16, 16)
    x = images
    for conv in D.convs:
        x = F.conv2d(x, conv.weight, conv.bias, stride=2, padding=1)
        x = torch.where(x > 0, x, 0.2 * x)
    features = torch.einsum("nihw,oihw->no", x, D.output.weight) + D.output.bias
    wanted = (features * D.embedding.weight[LABELS]).sum(1) / 4**0.5
    torch.testing.assert_close(D(images, LABELS, SEEDS), wanted, rtol=1e-4, atol=1e-4)


def test_batch_normalisation_follows_every_convolution_but_the_first():
    D = discriminator(widths=(8, 8, 8), normalisation="batch")
    assert [isinstance(norm, nn.BatchNorm2d) for norm in D.norms] == [False, True, True]
    assert [conv.bias is not None for conv in D.convs] == [True, False, False]
    assert all(conv.bias is not None for conv in discriminator(widths=(8, 8, 8)).convs)


@pytest.mark.parametrize(("normalisation", "mixes"), [("batch", True), ("spectral", False), ("none", False)])
def test_a_logit_depends_on_other_images_under_batch_normalisation_alone(normalisation, mixes):
    images = torch.randn(3, 3, 16, 16, requires_grad=True)
    D = shaken(discriminator(normalisation=normalisation))
    D(images, LABELS, SEEDS)[1].backward()
    assert images.grad[1].abs().max() > 0
    assert (images.grad[[0, 2]].abs().max() > 0) == mixes


@pytest.mark.parametrize("num_classes", [0, 10])
def test_spectral_normalisation_bounds_every_layer(num_classes):
    D = shaken(discriminator(widths=(32, 16), normalisation="spectral", num_classes=num_classes))
    images = torch.randn(3, 3, 16, 16)
    for _ in range(30):  # one power iteration each
        D(images, LABELS, SEEDS)
    D.eval()
    layers = [*D.convs, D.output, *([D.embedding] if num_classes else [])]
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item()
        assert largest == pytest.approx(1.0, rel=0.05)
        assert torch.linalg.matrix_norm(layer.parametrizations.weight.original.flatten(1), ord=2) > 1.2
    assert len([name for name, _ in D.named_parameters() if "original" in name]) == len(layers)


def test_spectral_normalisation_iterates_in_training_alone():
    D = discriminator(normalisation="spectral").eval()
    before = {name: value.clone() for name, value in D.named_buffers()}
    assert before
    D(torch.randn(3, 3, 16, 16), LABELS, SEEDS)
    assert all(torch.equal(value, before[name]) for name, value in D.named_buffers())
    D.train()(torch.randn(3, 3, 16, 16), LABELS, SEEDS)
    assert not all(torch.equal(value, before[name]) for name, value in D.named_buffers())


def test_dropout_is_drawn_from_the_seeds():
    D = shaken(discriminator(dropout=0.4))
    images = torch.randn(1, 3, 16, 16).repeat(3, 1, 1, 1)
    labels = torch.tensor([1, 1, 1])
    logits = D(images, labels, SEEDS)
    assert len(set(logits.tolist())) == 3
    torch.testing.assert_close(D(images, labels, SEEDS), logits, rtol=0, atol=0)
    torch.testing.assert_close(D(images[:2], labels[:2], SEEDS.flip(0)[:2]), logits.flip(0)[:2], rtol=1e-5, atol=1e-6)


def test_dropout_is_off_in_evaluation_and_at_0():
    D, without = shaken(discriminator(dropout=0.4)), discriminator()
    without.load_state_dict(D.state_dict())
    images = torch.randn(3, 3, 16, 16)
    assert not torch.equal(D(images, LABELS, SEEDS), without(images, LABELS, SEEDS))
    assert torch.equal(D.eval()(images, LABELS, SEEDS), without(images, LABELS, SEEDS))


def test_dropout_drops_whole_channels_and_scales_the_rest():
    D = discriminator(dropout=0.25, widths=(64, 32))
    seeds = torch.arange(500)
    draws = uniform(seeds, Purpose.DROPOUT, 96)
    seen = []
    for stage, conv in enumerate(D.convs):
        nn.init.zeros_(conv.weight)
        nn.init.ones_(conv.bias)  # every activation is 1 before it is dropped
        if stage:
            conv.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    D.output.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    D(torch.randn(500, 3, 16, 16), seeds % 10, seeds)
    for activations, drawn in zip(seen, torch.split(draws, [32, 64], dim=1), strict=True):
        wanted = (drawn >= 0.25) / 0.75
        torch.testing.assert_close(activations, wanted[:, :, None, None].expand_as(activations))
        assert wanted.mean().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("normalisation", ["batch", "spectral", "none"])
@pytest.mark.parametrize("num_classes", [0, 10])
def test_every_parameter_is_used(normalisation, num_classes):
    G = shaken(generator(num_classes=num_classes))
    D = shaken(discriminator(normalisation=normalisation, num_classes=num_classes, dropout=0.1))
    labels = torch.arange(20) % 10
    G(torch.randn(20, 6), labels).square().sum().backward()
    D(torch.randn(20, 3, 16, 16), labels, labels).square().sum().backward()
    for name, parameter in (*G.named_parameters(), *D.named_parameters()):
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_labels_count_if_there_are_classes_and_only_then():
    images, z = torch.randn(1, 3, 16, 16).repeat(2, 1, 1, 1), torch.randn(1, 6).repeat(2, 1)
    labels, others, seeds = torch.tensor([0, 1]), torch.tensor([-1, 99]), torch.tensor([3, 3])
    G, D = shaken(generator()).eval(), shaken(discriminator())
    assert not torch.allclose(*G(z, labels), atol=1e-3)
    assert not torch.allclose(*D(images, labels, seeds), atol=1e-3)
    G, D = shaken(generator(num_classes=0)), shaken(discriminator(num_classes=0))
    assert torch.equal(G(z, labels), G(z, others))
    assert torch.equal(D(images, labels, seeds), D(images, others, seeds))
