"""The exponential moving average of the generator's weights."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_ema(G_ema: nn.Module, G: nn.Module, decay: float) -> None:
    """Move every parameter of `G_ema` to decay * G_ema + (1 - decay) * G; buffers are copied.

    Args:
        G_ema: the average, changed in place.
        G: the network that is being trained.
        decay: in [0, 1).

    Reference: Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019, equation (3).
    """
    averages: list[Tensor] = list(G_ema.parameters())
    values: list[Tensor] = list(G.parameters())
    torch._foreach_lerp_(averages, values, 1.0 - decay)
    if buffers := list(G_ema.buffers()):
        torch._foreach_copy_(buffers, list(G.buffers()))
