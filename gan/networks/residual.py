"""The residual block of both R3GAN networks."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.checkpointed import checkpointed
from gan.networks.grouped_conv import GroupedConv2d
from gan.networks.initialisation import LEAKY_GAIN, LEAKY_SLOPE, he_normal


class ResidualBlock(nn.Module):
    """1x1 -> leaky ReLU -> grouped 3x3 -> leaky ReLU -> 1x1 on a residual branch, without normalisation.

    The biases of the activations are those of the convolutions before them. Fixup-like initialisation: the last 1x1
    starts at zero, the others have their gain divided by the fourth root of the network's number of blocks, so that
    the depth does not change the scale of the first updates.

    Args:
        channels: C, of input and output.
        expansion: inner width over C.
        group_width: channels per group of the 3x3 convolution, which is dense where this is the inner width or more.
        depth: residual blocks in the whole network.

    Attributes:
        checkpointed: whether only its input is kept for backward passes, as of `gan.networks.checkpointed`.

    Reference: Huang et al. 2024, section 3.3 and figure 1; Zhang, Dauphin, Ma, "Fixup Initialization", ICLR 2019,
    section 3.
    """

    checkpointed = False

    def __init__(self, channels: int, *, expansion: int, group_width: int, depth: int) -> None:
        super().__init__()
        inner = channels * expansion
        groups = max(1, inner // group_width)
        gain = LEAKY_GAIN * depth**-0.25
        self.conv1 = he_normal(nn.Conv2d(channels, inner, 1), gain)
        self.conv2 = he_normal(GroupedConv2d(inner, 3, groups=groups, padding=1, bias=True), gain)
        self.conv3 = he_normal(nn.Conv2d(inner, channels, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to the same shape."""
        if self.checkpointed and torch.is_grad_enabled():
            plain = copy.copy(self)  # of the same layers
            plain.checkpointed = False
            return checkpointed(plain, x)
        y = F.leaky_relu(self.conv1(x), LEAKY_SLOPE)
        y = F.leaky_relu(self.conv2(y), LEAKY_SLOPE)
        residual: Tensor = self.conv3(y)
        return x + residual


def stage(width: int, blocks: int, *, expansion: int, group_width: int, depth: int) -> nn.Sequential:
    """Return `blocks` residual blocks of one width."""
    made = (ResidualBlock(width, expansion=expansion, group_width=group_width, depth=depth) for _ in range(blocks))
    return nn.Sequential(*made)


def checkpoint_blocks(network: nn.Module) -> None:
    """Let all residual blocks of a network keep their inputs alone."""
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            module.checkpointed = True
