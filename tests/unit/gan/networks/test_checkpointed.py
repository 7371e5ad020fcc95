"""A network that keeps only the inputs of its blocks has the gradients of one that keeps all, first and second."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from gan.configuration.config import NetworkConfig
from gan.device.live_bytes import LiveBytes
from gan.networks.build import build_discriminator, build_generator
from gan.networks.grouped_conv import without_weight_gradients
from gan.networks.residual import checkpoint_blocks
from gan.objective.gradients import ImagePairs, Objective, PenaltyWeights
from gan.objective.losses import LOSSES

NETWORK = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, blocks_per_stage=2)


def pair(build, dtype):
    """A network, and its twin that is checkpointed."""
    torch.manual_seed(0)
    network = build(NETWORK, channels=1, num_classes=3)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.4)
    network.to(dtype)
    twin = copy.deepcopy(network)
    checkpoint_blocks(twin)
    return network, twin


def shown(dtype):
    torch.manual_seed(1)
    labels, one = torch.arange(4) % 3, torch.ones((), dtype=dtype)
    real, fake = torch.randn(4, 1, 8, 8, dtype=dtype), torch.randn(4, 1, 8, 8, dtype=dtype)
    return ImagePairs(real, fake, labels, labels, labels, torch.zeros(4, 2, 0, dtype=dtype), one)


def kept_bytes(compute):
    """What a computation keeps for backward passes, and what it gives."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        found = compute()
    return sum(storage.nbytes() for storage in kept.values()), found


@pytest.mark.parametrize("bf16", [False, True])
def test_without_penalties_the_gradients_are_the_same_bits(bf16):
    for build in (build_generator, build_discriminator):
        network, twin = pair(build, torch.float32)
        found = []
        for each in (network, twin):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                labels = torch.arange(4) % 3
                torch.manual_seed(2)
                inputs = torch.randn(4, 4) if build is build_generator else torch.randn(4, 1, 8, 8)
                arguments = (inputs, labels) if build is build_generator else (inputs, labels, labels)
                kept, out = kept_bytes(partial(each, *arguments))
            found.append((kept, torch.autograd.grad(out.float().square().sum(), list(each.parameters()))))
        assert found[1][0] < 0.6 * found[0][0]
        assert all(torch.equal(*both) for both in zip(found[0][1], found[1][1], strict=True))


@pytest.mark.parametrize(("r1", "r2"), [(True, True), (True, False)])
def test_gradients_of_gradients_are_the_same_but_for_the_order_of_sums(r1, r2):
    one = torch.ones((), dtype=torch.float64)
    objective, weights = Objective(LOSSES["relativistic"], r1=r1, r2=r2, between=True), PenaltyWeights(one, one, one)
    found = []
    for D in pair(build_discriminator, torch.float64):
        with LiveBytes() as live:
            found.append((*objective.discriminator_gradients(D, shown(torch.float64), 4, weights), live.most))
    (wanted, terms, plain_bytes), (gradients, own_terms, own_bytes) = found
    assert own_bytes < 0.7 * plain_bytes
    for one_gradient, other in zip(gradients, wanted, strict=True):
        assert other.abs().max() > 1e-3
        torch.testing.assert_close(one_gradient, other, rtol=1e-10, atol=1e-12 * other.abs().max().item())
    torch.testing.assert_close(own_terms, terms, rtol=1e-12, atol=0)


def test_it_is_twice_differentiable_by_everything():
    _, twin = pair(build_discriminator, torch.float64)
    block = next(module for module in twin.modules() if getattr(module, "checkpointed", False))
    x = torch.randn(1, 8, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, (x,))
    assert torch.autograd.gradgradcheck(block, (x,))


def test_frozen_weights_have_no_gradients_and_none_are_made_where_they_are_not_wanted():
    _, D = pair(build_discriminator, torch.float32)
    images = torch.randn(4, 1, 8, 8, requires_grad=True)
    labels = torch.arange(4) % 3
    with without_weight_gradients():
        (slope,) = torch.autograd.grad(D(images, labels, labels).sum(), images, create_graph=True)
    assert slope.requires_grad
    D.requires_grad_(False)
    (same,) = torch.autograd.grad(D(images, labels, labels).sum(), images)
    torch.testing.assert_close(same, slope.detach())


def test_without_gradients_it_is_the_plain_network():
    network, twin = pair(build_generator, torch.float32)
    z, labels = torch.randn(2, 4), torch.arange(2)
    with torch.no_grad():
        assert torch.equal(twin(z, labels), network(z, labels))
    assert twin.state_dict().keys() == network.state_dict().keys()
