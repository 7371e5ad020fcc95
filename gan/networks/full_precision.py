"""Parts of a network that stay in float32 where the others run in bfloat16, and the way back from them."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def full_precision(x: Tensor, *, wanted: bool = True) -> tuple[Tensor, AbstractContextManager[object]]:
    """Return activations in float32 and a context without autocast, if they are wanted; else all as it is.

    Outside of autocast nothing is done, so that an exported graph shows nothing of it.

    Args:
        x: activations, of any floating type.
        wanted: whether this part is one of those.
    """
    if not (wanted and _reduced(x)):
        return x, nullcontext()
    return x.float(), torch.autocast(x.device.type, enabled=False)


def autocast_precision(x: Tensor) -> Tensor:
    """Return activations in the type that autocast computes in; outside of it as they are.

    What is added to others is no convolution, which autocast would look after: behind a part in float32 sums would stay
    in it, and move twice the bytes.
    """
    return x.to(torch.get_autocast_dtype(x.device.type)) if _reduced(x) else x


def doubled(x: Tensor, mode: Literal["nearest", "bilinear"]) -> Tensor:
    """Return activations at twice the resolution, in the type that they have: [N, C, S, S] -> [N, C, 2S, 2S].

    On a GPU autocast would have them in float32, and every copy of four times as many numbers twice as large.
    """
    corners = None if mode == "nearest" else False
    with torch.autocast(x.device.type, enabled=False) if _reduced(x) else nullcontext():
        return F.interpolate(x, scale_factor=2.0, mode=mode, align_corners=corners)


def _reduced(x: Tensor) -> bool:
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
