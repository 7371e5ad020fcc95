"""Gradients on their way to other workers: in which buckets, when, and in which order."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import nn

from gan.training import all_reduce
from gan.training.all_reduce import GradientSums
from gan.training.context import SingleWorker

CPU = torch.device("cpu")


class Two(SingleWorker):
    """Two workers, of whom the other has twice the gradients of this one; notes when sums begin and are waited for."""

    world_size = 2

    def __init__(self):
        super().__init__(CPU)
        self.events = []

    def begin_all_reduce(self, tensor, *, bf16=False):
        self.events.append((len(tensor), bf16))

        def wait():
            self.events.append("wait")
            tensor.mul_(3)

        return wait


@pytest.fixture
def small_buckets(monkeypatch):
    monkeypatch.setattr(all_reduce, "LEAST_BYTES", 1)
    monkeypatch.setattr(all_reduce, "MOST_BUCKETS", 100)


@pytest.mark.parametrize(
    ("megabytes", "buckets"),
    [
        ([0.1, 0.2, 0.3], [[0, 1, 2]]),
        ([0.5, 0.5, 0.2, 0.9], [[2, 3], [0, 1]]),
        ([3, 0.1, 0.1, 2], [[3], [0, 1, 2]]),
        ([10] * 16, [[14, 15], [12, 13], [10, 11], [8, 9], [6, 7], [4, 5], [2, 3], [0, 1]]),
        ([], [[]]),
    ],
)
def test_buckets_begin_at_the_end_and_are_few_and_a_megabyte_or_more(megabytes, buckets):
    assert all_reduce._buckets([int(size * 2**20) for size in megabytes]) == buckets


def layers(count=3):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(count)))


def gradients_of(network, x, sums=None):
    parameters = list(network.parameters())
    if sums is None:
        return torch.autograd.grad(network(x).square().sum(), parameters)
    with sums.early(bf16=False):
        return torch.autograd.grad(network(x).square().sum(), parameters, allow_unused=True, materialize_grads=True)


def test_a_bucket_sets_off_before_the_next_gradients_are_there(small_buckets):
    network, context, x = layers(), Two(), torch.ones(2, 4)
    sums = GradientSums(network, context)
    for index, layer in enumerate(network):
        layer.weight.register_hook(lambda gradient, index=index: context.events.append(f"gradient {index}"))
    gradients = gradients_of(network, x, sums)
    bucket = (16, False)
    assert context.events == ["gradient 2", bucket, "gradient 1", bucket, "gradient 0", bucket]
    wanted = [3 * gradient for gradient in gradients]
    sums.finish(gradients, bf16=False)
    assert context.events[-3:] == ["wait"] * 3
    assert all(torch.equal(*pair) for pair in zip(gradients, wanted, strict=True))
    # nothing is left of it, neither a hook nor a bucket
    context.events.clear()
    sums.finish(gradients_of(layers(), x), bf16=True)
    assert context.events == [(16, True)] * 3 + ["wait"] * 3


def test_behind_a_layer_that_takes_no_part_buckets_keep_their_order(small_buckets):
    class Skipping(nn.Sequential):
        def forward(self, x):
            return self[2](self[0](x))

    network, context, x = Skipping(*layers()), Two(), torch.ones(2, 4)
    sums = GradientSums(network, context)
    gradients = gradients_of(network, x, sums)
    # the first layer's are there, but on another worker those of the second may be on their way
    assert context.events == [(16, False)]
    wanted = [3 * gradient for gradient in gradients]
    sums.finish(gradients, bf16=False)
    assert context.events[1:] == [(16, False)] * 2 + ["wait"] * 3
    assert all(torch.equal(*pair) for pair in zip(gradients, wanted, strict=True))
    assert gradients[1].abs().max() == 0 < gradients[0].abs().max()


def test_one_flat_sum_of_what_is_small_wherever_it_lies_in_memory():
    network, context = nn.Sequential(nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last), nn.Linear(2, 1)), Two()
    gradients = [torch.randn(each.shape) for each in network.parameters()]
    gradients[0] = gradients[0].contiguous(memory_format=torch.channels_last)
    wanted = [3 * gradient for gradient in gradients]
    GradientSums(network, context).finish(gradients, bf16=False)
    assert context.events == [(sum(gradient.numel() for gradient in gradients), False), "wait"]
    assert all(torch.equal(*pair) for pair in zip(gradients, wanted, strict=True))


def test_one_worker_sums_nothing():
    network = layers()
    sums = GradientSums(network, SingleWorker(CPU))
    gradients = gradients_of(network, torch.ones(2, 4), sums)
    before = copy.deepcopy(gradients)
    sums.finish(gradients, bf16=False)
    assert all(torch.equal(*pair) for pair in zip(gradients, before, strict=True))


def test_buckets_hold_every_parameter_once():
    sizes = torch.randint(1, 2**20, (50,)).tolist()
    found = all_reduce._buckets(sizes)
    assert sorted(index for bucket in found for index in bucket) == list(range(50))
    assert all(bucket[0] == after[-1] + 1 for bucket, after in pairwise(found))
    assert 1 < len(found) <= all_reduce.MOST_BUCKETS + 1
