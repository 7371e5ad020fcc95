"""DCGAN's networks: strided and transposed convolutions with batch normalisation.

Reference: Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks", ICLR 2016, section 3 and figure 1; spectral normalisation: Miyato, Kataoka, Koyama, Yoshida,
"Spectral Normalization for Generative Adversarial Networks", ICLR 2018, equation (8). Classes, which the paper does not
have, come in as in the R3GAN networks: beside z, and by projection.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from gan.configuration.vocabulary import Normalisation
from gan.keyed_random import Purpose, uniform
from gan.networks.folded import FoldedDCGenerator
from gan.networks.full_precision import full_precision
from gan.networks.initialisation import LEAKY_SLOPE, small_normal
from gan.networks.interface import Discriminator, Generator
from gan.networks.r3gan import project


class DCGenerator(Generator):
    """Projects z to base x base pixels and doubles the resolution with every transposed convolution; ends in tanh.

    Args:
        base: side of the first stage in pixels, 4 or 7.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional generator.
        latent_dim: dimensions of z.
        embedding_dim: dimensions of the class embedding.
        widths: channels per stage, from the first up; the image has twice the resolution of the last.
    """

    def __init__(
        self, *, base: int, channels: int, num_classes: int, latent_dim: int, embedding_dim: int, widths: Sequence[int]
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None
        inputs = latent_dim + (embedding_dim if num_classes else 0)
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs, widths[0], base, bias=False)]
        for before, after in itertools.pairwise(widths):
            layers += [nn.BatchNorm2d(before), nn.ReLU()]
            layers += [nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], channels, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers)
        self.layers.apply(small_normal)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """As `Generator.forward`; in [-1, 1]."""
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], dim=1)
        x: Tensor = self.layers(z[:, :, None, None].contiguous(memory_format=torch.channels_last))
        return x.tanh()

    def for_drawing(self) -> Generator:
        """As `Generator.for_drawing`."""
        return FoldedDCGenerator(self)


class DCDiscriminator(Discriminator):
    """Halves the resolution with every strided convolution; the class is projected on at the end.

    Args:
        base: side of the last stage in pixels, 4 or 7.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional discriminator.
        embedding_dim: dimensions of the head and of the class embedding that it is projected on.
        widths: channels per stage, from the last one of the discriminator up to the first that an image meets.
        normalisation: `batch` after every convolution but the first, as published; `spectral` on every layer; `none`,
            as gradient penalties want it.
        dropout: share of each stage's channels that is set to zero, drawn anew for every image; 0 for none.
    """

    from_the_image = ("convs", "norms")

    def __init__(
        self,
        *,
        base: int,
        channels: int,
        num_classes: int,
        embedding_dim: int,
        widths: Sequence[int],
        normalisation: Normalisation = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.mixes_images = normalisation == "batch"
        self.dropout = dropout
        down = list(reversed(widths))
        self.widths = down
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1, bias=normalisation != "batch" or not index)
            for index, (before, after) in enumerate(itertools.pairwise([channels, *down]))
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width) if normalisation == "batch" and index else nn.Identity()
            for index, width in enumerate(down)
        )
        self.output = nn.Conv2d(down[-1], embedding_dim if num_classes else 1, base)
        self.apply(small_normal)
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None
        if normalisation == "spectral":
            for layer in (*self.convs, self.output, *([self.embedding] if self.embedding else [])):
                spectral_norm(layer)

    def by_stages(self) -> list[list[nn.Module]]:
        """As `Discriminator.by_stages`."""
        return [list(pair) for pair in zip(self.convs, self.norms, strict=True)]

    def forward(self, images: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """As `Discriminator.forward`; dropout is drawn from the seeds, while training alone."""
        x = images.contiguous(memory_format=torch.channels_last)
        masks = self._masks(seeds)
        for conv, norm, mask in zip(self.convs, self.norms, masks, strict=True):
            x = F.leaky_relu(norm(conv(x)), LEAKY_SLOPE)
            x = x if mask is None else x * mask[:, :, None, None].to(x.dtype)
        x, context = full_precision(x)
        with context:
            return project(self.output(x).flatten(1), self.embedding, labels, divided=True)

    def _masks(self, seeds: Tensor) -> Sequence[Tensor | None]:
        """For each stage, factors [N, width] by which its channels are multiplied."""
        if not self.dropout or not self.training:
            return [None] * len(self.widths)
        kept = uniform(seeds, Purpose.DROPOUT, sum(self.widths)) >= self.dropout
        return torch.split(kept / (1.0 - self.dropout), self.widths, dim=1)
