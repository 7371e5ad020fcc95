"""Parts of a network that stay in float32 where the others run in bfloat16, and the way back from them."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


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


def _reduced(x: Tensor) -> bool:
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
