"""R3GAN's networks (its Config E): residual, without normalisation, one the mirror image of the other.

Reference: Huang, Gokaslan, Kuleshov, Tompkin, "The GAN is dead; long live the GAN! A Modern Baseline GAN",
NeurIPS 2024, section 3 and figure 1. The patches at the image end are ours: they trade detail for speed.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.initialisation import he_normal
from gan.networks.interface import Discriminator, Generator
from gan.networks.resampling import downsample2, upsample2
from gan.networks.residual import stage


class R3Generator(Generator):
    """A learned basis scaled by noise and class, residual stages, an image.

    Args:
        base: side of the first stage in pixels, 4 or 7.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional generator.
        latent_dim: dimensions of z.
        embedding_dim: dimensions of the class embedding.
        widths: channels per stage, from the first up; every further stage doubles the resolution.
        blocks_per_stage: residual blocks in each stage.
        group_width: channels per group of the 3x3 convolutions.
        expansion: inner width of a block over its outer width.
        patch: side of the pixel patches that the last layer unfolds.
    """

    def __init__(
        self,
        *,
        base: int,
        channels: int,
        num_classes: int,
        latent_dim: int,
        embedding_dim: int,
        widths: Sequence[int],
        blocks_per_stage: int,
        group_width: int,
        expansion: int,
        patch: int,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.patch = patch
        depth = len(widths) * blocks_per_stage
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None
        self.basis = nn.Parameter(torch.randn(widths[0], base, base))
        self.modulation = he_normal(
            nn.Linear(latent_dim + (embedding_dim if num_classes else 0), widths[0], bias=False)
        )
        self.transitions = nn.ModuleList(
            he_normal(nn.Conv2d(before, after, 1, bias=False)) for before, after in itertools.pairwise(widths)
        )
        self.stages = nn.ModuleList(
            stage(width, blocks_per_stage, expansion=expansion, group_width=group_width, depth=depth)
            for width in widths
        )
        self.to_image = he_normal(_image_conv(widths[-1], channels * patch**2, patch))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """As `Generator.forward`; not clamped."""
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], dim=1)
        x = self.basis[None] * self.modulation(z)[:, :, None, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for index, blocks in enumerate(self.stages):
            if index:
                x = upsample2(self.transitions[index - 1](x))
            x = blocks(x)
        image: Tensor = self.to_image(x)
        return F.pixel_shuffle(image, self.patch) if self.patch > 1 else image


class R3Discriminator(Discriminator):
    """The generator's mirror image, with a depthwise head and the class projected on at the end.

    Args:
        base: side of the last stage in pixels, 4 or 7.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional discriminator.
        embedding_dim: dimensions of the head and of the class embedding that it is projected on.
        widths: channels per stage, from the last one of the discriminator up to the first that an image meets.
        blocks_per_stage: residual blocks in each stage.
        group_width: channels per group of the 3x3 convolutions.
        expansion: inner width of a block over its outer width.
        patch: side of the pixel patches folded into channels before the first layer.

    Reference: projection: Miyato and Koyama, "cGANs with Projection Discriminator", ICLR 2018, equation (3).
    """

    def __init__(
        self,
        *,
        base: int,
        channels: int,
        num_classes: int,
        embedding_dim: int,
        widths: Sequence[int],
        blocks_per_stage: int,
        group_width: int,
        expansion: int,
        patch: int,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.patch = patch
        depth = len(widths) * blocks_per_stage
        down = list(reversed(widths))
        self.from_image = he_normal(_image_conv(channels * patch**2, down[0], patch))
        self.stages = nn.ModuleList(
            stage(width, blocks_per_stage, expansion=expansion, group_width=group_width, depth=depth) for width in down
        )
        self.transitions = nn.ModuleList(
            he_normal(nn.Conv2d(before, after, 1, bias=False)) for before, after in itertools.pairwise(down)
        )
        self.head = DepthwiseHead(down[-1], base)
        self.output = he_normal(nn.Linear(down[-1], embedding_dim if num_classes else 1, bias=False))
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None

    def forward(self, images: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """As `Discriminator.forward`; nothing is drawn."""
        x = F.pixel_unshuffle(images, self.patch) if self.patch > 1 else images
        x = self.from_image(x.contiguous(memory_format=torch.channels_last))
        for index, blocks in enumerate(self.stages):
            if index:
                x = self.transitions[index - 1](downsample2(x))
            x = blocks(x)
        features: Tensor = self.output(self.head(x))
        return project(features, self.embedding, labels)


class DepthwiseHead(nn.Module):
    """A depthwise convolution as large as its input: each channel's product with a kernel of its own.

    Written as the product that it is, since PyTorch's depthwise convolutions are many times slower on CPUs.

    Args:
        channels: C.
        side: H and W of the input.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, side, side) / side)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C]; the linear layer after it mixes what was found."""
        return (x * self.weight).sum(dim=(2, 3))


def _image_conv(before: int, after: int, patch: int) -> nn.Conv2d:
    """The convolution next to the image: 1x1 as published; over patches 3x3, or their edges would show."""
    side = 1 if patch == 1 else 3
    return nn.Conv2d(before, after, side, padding=side // 2, bias=False)


def project(features: Tensor, embedding: nn.Embedding | None, labels: Tensor) -> Tensor:
    """Turn the head's features [N, E] into logits [N]: their product with the class embedding, over sqrt(E).

    Where there are no classes, E is 1 and the feature is the logit.
    """
    if embedding is None:
        return features[:, 0]
    classes: Tensor = embedding(labels)
    logits: Tensor = (features * classes).sum(1) * classes.shape[1] ** -0.5
    return logits
