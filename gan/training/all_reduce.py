"""Sums over the workers of a training, by torch.distributed: sent as they are, or in bfloat16."""

import time

import torch
import torch.distributed as dist
from torch import Tensor


def sum_over_ranks(tensor: Tensor, *, bf16: bool = False) -> float:
    """Replace a tensor on every rank by the sum over ranks, in place; all ranks then have the same bits.

    Args:
        tensor: of any float type.
        bf16: whether it is sent as bfloat16, half the bytes of float32. Sums are made in float32 and rounded once.

    Returns:
        Seconds until the sum was there: waiting for the slowest rank, and sending. On a GPU, which is given work and
        not waited for, only what it took to ask for it.
    """
    began = time.perf_counter()
    if bf16:
        _sum_of_rounded(tensor)
    else:
        dist.all_reduce(tensor)
    return time.perf_counter() - began


def _sum_of_rounded(tensor: Tensor) -> None:
    """Each rank sums a part of its own from all, and gives the rounded sum back to all."""
    ranks, count = dist.get_world_size(), tensor.numel()
    length = -(-count // ranks)
    rounded = torch.zeros(ranks * length, dtype=torch.bfloat16, device=tensor.device)
    rounded[:count] = tensor.flatten()
    received = torch.empty_like(rounded)
    dist.all_to_all_single(_as_bytes(received), _as_bytes(rounded))
    total = received.view(ranks, length).sum(0, dtype=torch.float32).to(torch.bfloat16)
    dist.all_gather([_as_bytes(part) for part in rounded.view(ranks, length)], _as_bytes(total))
    tensor.copy_(rounded[:count].view_as(tensor))


def _as_bytes(numbers: Tensor) -> Tensor:
    """Return the same memory as what every backend can send, whatever types it knows."""
    return numbers.view(torch.uint8)
