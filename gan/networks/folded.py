"""DCGAN's generator for those who only draw: the same function of the same weights in fewer and faster operations.

Once trained, a batch normalisation scales and shifts, which the convolution before it can do by itself. A transposed
convolution of a single pixel is a matrix product, and one that leaves 1 or 3 channels is faster as an ordinary
convolution, whose channels are then the four pixels that lie between each other.

Reference: folding: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018, section 3.2; the pixels: Shi et al., "Is the deconvolution layer the same as a convolutional
layer?", 2016, section 2.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.interface import Generator

if TYPE_CHECKING:
    from gan.networks.dcgan import DCGenerator


class FoldedDCGenerator(Generator):
    """What a `DCGenerator` computes in evaluation mode, up to rounding.

    Args:
        G: the generator, whose weights are copied.
    """

    def __init__(self, G: "DCGenerator") -> None:
        super().__init__()
        self.latent_dim, self.num_classes = G.latent_dim, G.num_classes
        self.embedding = G.embedding
        (first, first_bias), *middle, (last, last_bias) = _folded(G.layers)
        self.first_shape = first.shape[2], first.shape[3], first.shape[1]
        self.first = nn.Linear(first.shape[0], first[0].numel())
        self.first.weight.data = first.permute(2, 3, 1, 0).flatten(0, 2).contiguous()
        self.first.bias.data = first_bias.repeat(first.shape[2] * first.shape[3])
        self.middle = nn.ModuleList()
        for weight, bias in middle:
            layer = nn.ConvTranspose2d(weight.shape[0], weight.shape[1], 4, stride=2, padding=1)
            layer.weight.data, layer.bias.data = weight, bias  # type: ignore[union-attr]
            self.middle.append(layer)
        self.last = nn.Conv2d(last.shape[0], 4 * last.shape[1], 2, padding=1)
        self.last.weight.data = _between_each_other(last)
        self.last.bias.data = last_bias.repeat_interleave(4)  # type: ignore[union-attr]

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """As `Generator.forward`; in [-1, 1]."""
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], dim=1)
        x = F.relu(self.first(z)).view(-1, *self.first_shape).permute(0, 3, 1, 2)
        for layer in self.middle:
            x = F.relu(layer(x))
        # the frame of one pixel is what kernels make beyond the image
        return F.pixel_shuffle(self.last(x), 2)[:, :, 1:-1, 1:-1].tanh()


def _folded(layers: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of each transposed convolution, with what normalises behind it."""
    found: list[tuple[Tensor, Tensor]] = []
    for layer in layers:
        if isinstance(layer, nn.ConvTranspose2d):
            bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
            found.append((layer.weight.detach().double(), bias.double()))
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.running_var is not None
            assert layer.running_mean is not None
            weight, bias = found.pop()
            scale = layer.weight.detach().double() * (layer.running_var.double() + layer.eps) ** -0.5
            shift = layer.bias.detach().double() - layer.running_mean.double() * scale
            found.append((weight * scale[:, None, None], bias * scale + shift))
    return [(weight.float(), bias.float()) for weight, bias in found]


def _between_each_other(weight: Tensor) -> Tensor:
    """Turn a transposed kernel [C, C', 4, 4] of stride 2 into an ordinary one [4 C', C, 2, 2].

    With a padding of one its output at place w holds the pixels 2 w - 1 and 2 w of each side. Tap k of the transposed
    kernel adds to pixel 2 i - 1 + k of input i, so it is tap 1 - k // 2 of the kernel of pixel k % 2.
    """
    before, after = weight.shape[:2]
    taps = weight.view(before, after, 2, 2, 2, 2).flip(2, 4)  # [C, C', row tap, row pixel, column tap, column pixel]
    return taps.permute(1, 3, 5, 0, 2, 4).reshape(4 * after, before, 2, 2).contiguous()
