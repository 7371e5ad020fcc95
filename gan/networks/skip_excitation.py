"""A light generator whose coarse stages say which channels of the fine ones count: for few images.

Reference: Liu, Zhu, Song, Elgammal, "Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image
Synthesis", ICLR 2021, section 3.1 and figures 3 and 4. Other than there no noise is added to the pixels, because an
image is a function of its z and class alone; z is not normalised, so that truncation has its meaning; and classes,
which the paper does not have, stand beside z as in the other networks.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.few_shot_shape import SKIPPED, convolutions_of
from gan.networks.full_precision import doubled
from gan.networks.initialisation import small_normal
from gan.networks.interface import Generator


class SkipExcitationGenerator(Generator):
    """Projects z to base x base pixels; every further stage doubles the resolution; ends in tanh.

    Stages have one convolution, and two in turn; each is followed by batch normalisation and a gated linear unit.

    Args:
        base: side of the first stage in pixels, 4 or 7.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional generator.
        latent_dim: dimensions of z.
        embedding_dim: dimensions of the class embedding.
        widths: channels per stage, from the first up; the image has the resolution of the last.
    """

    def __init__(
        self, *, base: int, channels: int, num_classes: int, latent_dim: int, embedding_dim: int, widths: Sequence[int]
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None
        inputs = latent_dim + (embedding_dim if num_classes else 0)
        self.first = nn.Sequential(
            nn.ConvTranspose2d(inputs, 2 * widths[0], base, bias=False), nn.BatchNorm2d(2 * widths[0]), Gate()
        )
        self.stages = nn.ModuleList(
            _stage(widths[index - 1], widths[index], convolutions=convolutions_of(index))
            for index in range(1, len(widths))
        )
        self.excitations = nn.ModuleList(
            Excitation(widths[index - SKIPPED], widths[index], base, base * 2 ** (index - SKIPPED))
            for index in range(SKIPPED, len(widths))
        )
        self.to_image = nn.Conv2d(widths[-1], channels, 3, padding=1)
        self.apply(small_normal)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """As `Generator.forward`; in [-1, 1]."""
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], dim=1)
        x = self.first(z[:, :, None, None].contiguous(memory_format=torch.channels_last))
        coarser = [x]
        for index, stage in enumerate(self.stages, start=1):
            x = stage(doubled(x, "nearest"))
            if index >= SKIPPED:
                x = x * self.excitations[index - SKIPPED](coarser[index - SKIPPED])
            coarser.append(x)
        image: Tensor = self.to_image(x)
        return image.tanh()


class Gate(nn.Module):
    """A gated linear unit, `nn.GLU`, whose gradient lies in memory as its input does.

    PyTorch's lays it out channel by channel, whatever the input, and every layer before it is slower for that. Without
    gradients it is PyTorch's, with the same values.

    Reference: Dauphin, Fan, Auli, Grangier, "Language Modeling with Gated Convolutional Networks", ICML 2017, equation
    (1).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, 2C, H, W] to [N, C, H, W]."""
        if not self.training:
            return F.glu(x, dim=1)
        values, gates = x.chunk(2, dim=1)
        return values * gates.sigmoid()


class Excitation(nn.Module):
    """Turns a coarse stage into a factor from 0 to 1 for each channel of a fine one.

    Args:
        before: channels of the coarse stage.
        after: channels of the fine one.
        base: side to which the coarse stage is averaged.
        side: of the coarse stage, a multiple of `base`.
    """

    def __init__(self, before: int, after: int, base: int, side: int) -> None:
        super().__init__()
        self.pooled = side // base
        self.inner = nn.Conv2d(before, after, base, bias=False)
        self.outer = nn.Conv2d(after, after, 1, bias=False)

    def forward(self, coarse: Tensor) -> Tensor:
        """Map [N, before, side, side] to [N, after, 1, 1]."""
        x = F.avg_pool2d(coarse, self.pooled) if self.pooled > 1 else coarse
        return torch.sigmoid(self.outer(F.silu(self.inner(x))))


def _stage(before: int, after: int, *, convolutions: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(convolutions):
        inputs = after if index else before
        layers += [nn.Conv2d(inputs, 2 * after, 3, padding=1, bias=False), nn.BatchNorm2d(2 * after), Gate()]
    return nn.Sequential(*layers)
