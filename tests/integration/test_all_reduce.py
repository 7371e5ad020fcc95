"""Sums over real processes on Gloo, sent as they are and in bfloat16: right, and the same bits on every rank.

This file is also the program that each process runs: rank, world size and folder are its arguments.
"""

import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from ranks import run_ranks

from gan.training.all_reduce import SumsOverRanks


class Context(SumsOverRanks):
    world_size = 3


SHAPES = [(1000,), (7,), (1,), (3, 5)]
WORLD = Context.world_size


def numbers(shape, rank):
    return torch.randn(shape, generator=torch.Generator().manual_seed(rank)) * 10.0**rank


def work(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD)
    context, found, waits = Context(), [], []
    for shape in SHAPES:
        for bf16 in (False, True):
            tensor = numbers(shape, rank)
            waits.append(context.begin_all_reduce(tensor, bf16=bf16))
            found.append(tensor)
    infinite = torch.full((5,), float("inf") if rank == 1 else 1.0)
    waits.append(context.begin_all_reduce(infinite, bf16=True))
    for wait in waits:  # all are on their way together
        before = context.reduce_seconds
        wait()
        assert context.reduce_seconds > before
    context.all_reduce(means := torch.tensor([float(rank)]))
    assert means == 3.0
    found.append(infinite)
    torch.save(found, Path(folder) / f"rank{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.integration
def test_sums_over_three_processes(tmp_path):
    run_ranks(__file__, WORLD, str(tmp_path))
    first, *others = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(WORLD))
    for other in others:
        torch.testing.assert_close(other, first, rtol=0, atol=0)
    for index, shape in enumerate(SHAPES):
        given = [numbers(shape, rank) for rank in range(WORLD)]
        torch.testing.assert_close(first[2 * index], sum(given))
        # each is rounded once on its way, the sum of them in float32 once more
        assert torch.equal(first[2 * index + 1], sum(each.bfloat16().float() for each in given).bfloat16().float())
    assert torch.equal(first[-1], torch.full((5,), float("inf")))


if __name__ == "__main__":
    work(int(sys.argv[1]), sys.argv[2])
