"""Doubling and halving the resolution with the bilinear kernel.

Reference: Huang et al., NeurIPS 2024, section 3.2: bilinear interpolation in both networks; as a filter that is
(1, 3, 3, 1) / 8 along each side (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
appendix B), with zeros beyond the edges.
"""

import torch
from torch import Tensor, nn

from gan.configuration.vocabulary import Upsampling
from gan.networks.full_precision import doubled
from gan.networks.grouped_conv import grouped_conv2d

TAPS = (1.0, 3.0, 3.0, 1.0)


class Upsample2(nn.Module):
    """Doubles the resolution with the (1, 3, 3, 1) kernel: [N, C, S, S] -> [N, C, 2S, 2S].

    Args:
        side: S, of the input in pixels.
        beyond: what lies beyond its edges: `zeros`, as published, which makes it 4 times the adjoint of `Downsample2`
            and tells a generator where the edges are; or the `edges` again.
    """

    border: Tensor | None

    def __init__(self, side: int, beyond: Upsampling) -> None:
        super().__init__()
        # what the edges again put into the outermost pixels is a quarter of them, and zeros put in nothing
        line = torch.ones(2 * side)
        line[0] = line[-1] = 0.75
        border = torch.outer(line, line) if beyond == "zeros" else None
        self.register_buffer("border", border, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Double it."""
        x = doubled(x, "bilinear")
        return x if self.border is None else x * self.border.to(x.dtype)


class Downsample2(nn.Module):
    """Halves the resolution with the (1, 3, 3, 1) kernel, zeros beyond the edges: [N, C, H, W] -> [N, C, H/2, W/2]."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor(TAPS) / sum(TAPS)
        # where the network is: a kernel that is made anew at each pass is one wait more for a GPU
        self.register_buffer("kernel", torch.outer(taps, taps)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Halve it."""
        channels = x.shape[1]
        # CPUs have no kernel for depthwise convolutions in bf16
        with torch.autocast("cpu", enabled=False):
            values = x.float() if x.device.type == "cpu" else x
            kernel = self.kernel.to(values.dtype).expand(channels, 1, 4, 4)
            return grouped_conv2d(values, kernel, stride=2, padding=1, groups=channels).to(x.dtype)
