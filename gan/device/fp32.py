"""How a GPU multiplies in fp32: as IEEE has it, or with factors rounded to TF32. One setting of the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch


def round_fp32(device: torch.device, *, tf32: bool) -> None:
    """Say in this process how a GPU multiplies in fp32; PyTorch lets its convolutions round to TF32 unless it is told.

    Args:
        device: of the training; on a CPU nothing is done.
        tf32: whether factors are rounded to 10 bits of mantissa, which tensor cores take; else products are IEEE's.
    """
    if device.type != "cuda":
        return
    for kind in _kinds():
        kind.fp32_precision = "tf32" if tf32 else "ieee"


class _Full:
    """How many want IEEE's products at this moment, and what held before the first of them."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.wanted = 0
        self.before: list[str] = []


_FULL = _Full()


@contextmanager
def full_fp32() -> Iterator[None]:
    """Have a GPU multiply in fp32 as IEEE has it, as a CPU does, whatever a training has said before.

    Threads may be inside at once and leave in any order: what held before holds again when the last one has left.
    """
    with _FULL.lock:
        if not _FULL.wanted:
            # the older switches, as cudnn.allow_tf32, raise as soon as a training has used these newer ones
            _FULL.before = [kind.fp32_precision for kind in _kinds()]
            for kind in _kinds():
                kind.fp32_precision = "ieee"
        _FULL.wanted += 1
    try:
        yield
    finally:
        with _FULL.lock:
            _FULL.wanted -= 1
            if not _FULL.wanted:
                for kind, precision in zip(_kinds(), _FULL.before, strict=True):
                    kind.fp32_precision = precision


def _kinds() -> tuple[Any, ...]:
    """What may round; of one alone that is set otherwise, PyTorch no longer answers whether TF32 is allowed."""
    cudnn: Any = torch.backends.cudnn
    return torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn
