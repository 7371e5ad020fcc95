"""How a GPU multiplies in fp32: as IEEE has it, or with factors rounded to TF32. One setting of the whole process."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from gan.device.process_setting import ProcessSetting

Rounding = tuple[str, ...]
"""Of products of matrices, convolutions and recurrent networks: `ieee`, `tf32`, or `none` where nothing is said."""


def round_fp32(device: torch.device, *, tf32: bool) -> None:
    """Say in this process how a GPU multiplies in fp32; PyTorch lets its convolutions round to TF32 unless it is told.

    Within `full_fp32` it holds from its end on.

    Args:
        device: of the training; on a CPU nothing is done.
        tf32: whether factors are rounded to 10 bits of mantissa, which tensor cores take; else products are IEEE's.
    """
    if device.type != "cuda":
        return
    wanted = ("tf32" if tf32 else "ieee",) * 3
    with _FULL.lock:
        if _FULL.holders:
            _FULL.before = wanted
        else:
            set_rounding(wanted)


def full_fp32() -> AbstractContextManager[None]:
    """Have a GPU multiply in fp32 as IEEE has it, as a CPU does, whatever a training has said before."""
    return _FULL()


def rounding() -> Rounding:
    """Return how fp32 is rounded in this process."""
    return tuple(kind.fp32_precision for kind in _kinds())


def set_rounding(wanted: Rounding) -> None:
    """Have fp32 rounded so, as `rounding` says it."""
    # PyTorch's older switches stay as they were when the newer ones are set, and it then refuses to answer for the
    # older ones at all, which an exporter asks for
    torch.backends.cuda.matmul.allow_tf32 = wanted[0] == "tf32"
    torch.backends.cudnn.allow_tf32 = wanted[1] == wanted[2] == "tf32"
    for kind, precision in zip(_kinds(), wanted, strict=True):
        kind.fp32_precision = precision


def _kinds() -> tuple[Any, ...]:
    cudnn: Any = torch.backends.cudnn
    return torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn


def _begin() -> Rounding:
    before = rounding()
    set_rounding(("ieee",) * 3)
    return before


_FULL = ProcessSetting(_begin, set_rounding)
