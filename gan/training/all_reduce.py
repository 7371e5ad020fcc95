"""Sums over the workers of a training: gradients in buckets that set off while others are still being computed."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gan.networks.interface import trained

if TYPE_CHECKING:
    from gan.training.context import TrainContext

T = TypeVar("T")

LEAST_BYTES, MOST_BUCKETS = 2**20, 8
"""A bucket has a megabyte or more, since each sum takes the time of some messages, and a network few buckets."""


class SumsOverRanks:
    """The sums of a `gan.training.context.TrainContext` over the ranks of torch.distributed."""

    world_size: int
    reduce_seconds = 0.0

    def all_reduce(self, tensor: Tensor) -> None:
        """Sum over ranks, in place."""
        self.begin_all_reduce(tensor)()

    def begin_all_reduce(self, tensor: Tensor, *, bf16: bool = False) -> Callable[[], None]:
        """Begin to sum over ranks, in place; what is returned waits for the sum."""
        if self.world_size == 1:
            return lambda: None
        wait = self._timed(partial(_begin_rounded if bf16 else _begin, tensor))
        return lambda: self._timed(wait)

    def _timed(self, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        try:
            return call()
        finally:
            self.reduce_seconds += time.perf_counter() - began


def _begin(tensor: Tensor) -> Callable[[], None]:
    work = dist.all_reduce(tensor, async_op=True)
    return lambda: _waited(work)


def _begin_rounded(tensor: Tensor) -> Callable[[], None]:
    """Send bfloat16: each rank sums a part of its own from all in float32, and gives the rounded sum to all."""
    ranks, count = dist.get_world_size(), tensor.numel()
    rounded = torch.zeros(ranks, -(-count // ranks), dtype=torch.bfloat16, device=tensor.device)
    rounded.view(-1)[:count] = tensor.flatten()
    received = torch.empty_like(rounded)
    work = dist.all_to_all_single(_as_bytes(received), _as_bytes(rounded), async_op=True)

    def finish() -> None:
        _waited(work)
        total = received.sum(0, dtype=torch.float32).to(torch.bfloat16)
        dist.all_gather([_as_bytes(part) for part in rounded], _as_bytes(total))
        tensor.copy_(rounded.view(-1)[:count].view_as(tensor))

    return finish


def _waited(work: dist.Work | None) -> None:
    if work is not None:
        work.wait()


def _as_bytes(numbers: Tensor) -> Tensor:
    """Return the same memory as what every backend can send, whatever types it knows."""
    return numbers.view(-1).view(torch.uint8)


class GradientSums:
    """Sums a network's gradients over workers.

    Its parameters lie in buckets, the last first, since that is about the order in which a backward pass reaches them.
    Buckets set off in this one order on every worker, whatever is ready first.

    Args:
        network: whose gradients.
        context: of this worker.
    """

    def __init__(self, network: nn.Module, context: "TrainContext") -> None:
        self.parameters = trained(network)
        self.context = context
        self.buckets = _buckets([parameter.nbytes for parameter in self.parameters])
        self._ready: dict[int, Tensor] = {}
        self._begun: list[tuple[Tensor, Callable[[], None]]] = []

    @contextmanager
    def early(self, *, bf16: bool) -> Iterator[None]:
        """Within this block gradients are computed once, and each bucket sets off when the last of its own is there."""

        def ready(index: int, gradient: Tensor) -> None:
            self._ready[index] = gradient.detach()
            self._set_off(bf16=bf16)

        hooks = []
        if self.context.world_size > 1:
            for index, parameter in enumerate(self.parameters):
                hooks.append(parameter.register_hook(partial(ready, index)))  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def finish(self, gradients: Sequence[Tensor], *, bf16: bool) -> None:
        """Replace the gradients, those of all parameters, by their sums over workers, in place.

        Args:
            gradients: in the order of the parameters; of one that took no part on this worker, zeros.
            bf16: whether they are sent in bfloat16.
        """
        if self.context.world_size == 1:
            return
        self._ready = dict(enumerate(gradients))
        self._set_off(bf16=bf16)
        for bucket, (flat, wait) in zip(self.buckets, self._begun, strict=True):
            wait()
            own = [gradients[index] for index in bucket]
            parts = torch.split(flat, [gradient.numel() for gradient in own])
            torch._foreach_copy_(own, [part.view_as(each) for part, each in zip(parts, own, strict=True)])
        self._ready, self._begun = {}, []

    def _set_off(self, *, bf16: bool) -> None:
        for bucket in self.buckets[len(self._begun) :]:
            if not all(index in self._ready for index in bucket):
                return
            flat = torch.cat([self._ready[index].flatten() for index in bucket])
            self._begun.append((flat, self.context.begin_all_reduce(flat, bf16=bf16)))


def _buckets(sizes: Sequence[int]) -> list[list[int]]:
    """Cut the indices of parameters of so many bytes into stretches, the last first."""
    least = max(LEAST_BYTES, sum(sizes) / MOST_BUCKETS)
    buckets: list[list[int]] = [[]]
    for index in reversed(range(len(sizes))):
        if sum(sizes[other] for other in buckets[-1]) >= least:
            buckets.append([])
        buckets[-1].insert(0, index)
    return buckets
