"""Doubling and halving the resolution with the bilinear kernel.

Reference: Huang et al., NeurIPS 2024, section 3.2: bilinear interpolation in both networks; as a filter that is
(1, 3, 3, 1) / 8 along each side (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
appendix B).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.networks.grouped_conv import grouped_conv2d

TAPS = (1.0, 3.0, 3.0, 1.0)


def upsample2(x: Tensor) -> Tensor:
    """Double the resolution with the (1, 3, 3, 1) kernel, edges repeated: [N, C, H, W] -> [N, C, 2H, 2W]."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def downsample2(x: Tensor) -> Tensor:
    """Halve the resolution with the (1, 3, 3, 1) kernel, zeros beyond the edges: [N, C, H, W] -> [N, C, H/2, W/2]."""
    taps = torch.tensor(TAPS, device=x.device) / sum(TAPS)
    kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    # CPUs have no kernel for depthwise convolutions in bf16
    with torch.autocast("cpu", enabled=False):
        values = x.float() if x.device.type == "cpu" else x
        return grouped_conv2d(values, kernel.to(values.dtype), stride=2, padding=1, groups=x.shape[1]).to(x.dtype)
