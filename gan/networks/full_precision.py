"""Parts of a network that stay in float32 where the others run in bfloat16."""

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
    kind = x.device.type
    if not wanted or not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
        return x, nullcontext()
    return x.float(), torch.autocast(kind, enabled=False)
