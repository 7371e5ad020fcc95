"""The residual block and the resampling that generator and discriminator share.

Reference: Huang, Gokaslan, Kuleshov, Tompkin, "The GAN is dead; long live the GAN! A Modern Baseline GAN",
NeurIPS 2024, section 3 and figure 1 (Config E).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# He initialisation's gain for a leaky ReLU of slope 0.2.
LEAKY_SLOPE = 0.2
LEAKY_GAIN = math.sqrt(2.0 / (1.0 + LEAKY_SLOPE**2))


def init_conv(conv: nn.Conv2d, gain: float) -> nn.Conv2d:
    """Draw He-normal weights of standard deviation gain / sqrt(fan_in); a gain of 0 gives zeros."""
    fan_in = conv.weight[0].numel()
    nn.init.normal_(conv.weight, std=gain / math.sqrt(fan_in)) if gain else nn.init.zeros_(conv.weight)
    return conv


class BiasedActivation(nn.Module):
    """Leaky ReLU of slope 0.2 after a learned bias per channel; the only bias in a residual block.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to the same shape."""
        return F.leaky_relu(x + self.bias.to(x.dtype).view(1, -1, 1, 1), LEAKY_SLOPE)


class ResidualBlock(nn.Module):
    """1x1 -> grouped 3x3 -> 1x1 on a residual branch, without normalisation.

    Fixup-like initialisation: the last 1x1 starts at zero, the others have their gain divided by the fourth root of
    the network's number of blocks, so that the depth does not change the scale of the first updates.

    Args:
        channels: C, of input and output.
        expansion: inner width over C.
        group_width: channels per group of the 3x3 convolution; must divide the inner width.
        depth: residual blocks in the whole network.

    Reference: Huang et al. 2024, section 3.3; Zhang, Dauphin, Ma, "Fixup Initialization", ICLR 2019, section 3.
    """

    def __init__(self, channels: int, expansion: int, group_width: int, depth: int) -> None:
        super().__init__()
        inner = channels * expansion
        gain = LEAKY_GAIN * depth**-0.25
        self.conv1 = init_conv(nn.Conv2d(channels, inner, 1, bias=False), gain)
        self.act1 = BiasedActivation(inner)
        self.conv2 = init_conv(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group_width, bias=False), gain)
        self.act2 = BiasedActivation(inner)
        self.conv3 = init_conv(nn.Conv2d(inner, channels, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to the same shape."""
        y: Tensor = self.conv3(self.act2(self.conv2(self.act1(self.conv1(x)))))
        return x + y


def upsample2(x: Tensor) -> Tensor:
    """Double the resolution with the bilinear (1, 3, 3, 1) kernel: [N, C, H, W] -> [N, C, 2H, 2W]."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def downsample2(x: Tensor) -> Tensor:
    """Halve the resolution by means over 2x2 pixels: [N, C, H, W] -> [N, C, H/2, W/2]."""
    return F.avg_pool2d(x, 2)
