"""How fp32 is rounded belongs to the process: threads that want it in full come and go in any order."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import permutations
from threading import Barrier

import pytest
import torch

from gan.device.fp32 import full_fp32, round_fp32


def kinds():
    cudnn = torch.backends.cudnn
    return torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn


def rounding():
    return [kind.fp32_precision for kind in kinds()]


@pytest.fixture(autouse=True)
def tf32():
    """What a training in TF32 has said."""
    before = rounding()
    for kind in kinds():
        kind.fp32_precision = "tf32"
    yield
    for kind, precision in zip(kinds(), before, strict=True):
        kind.fp32_precision = precision


@pytest.mark.parametrize("leaving", list(permutations(range(3))))
def test_the_last_to_leave_puts_back_what_the_first_has_found(leaving):
    inside = [ExitStack() for _ in range(3)]
    for each in inside:
        each.enter_context(full_fp32())
    for number in leaving:
        assert rounding() == ["ieee"] * 3
        inside[number].close()
    assert rounding() == ["tf32"] * 3


def test_many_threads_never_see_it_rounded():
    threads = 4
    start = Barrier(threads)

    def go() -> set[str]:
        start.wait()
        seen = set()
        for _ in range(500):
            with full_fp32():
                seen.update(rounding())
        return seen

    with ThreadPoolExecutor(threads) as pool:
        assert set().union(*(future.result() for future in [pool.submit(go) for _ in range(threads)])) == {"ieee"}
    assert rounding() == ["tf32"] * 3


def test_an_error_inside_leaves_it_as_it_was():
    with pytest.raises(ZeroDivisionError), full_fp32():
        raise ZeroDivisionError
    assert rounding() == ["tf32"] * 3


def test_a_cpu_has_nothing_to_round():
    round_fp32(torch.device("cpu"), tf32=False)
    assert rounding() == ["tf32"] * 3
