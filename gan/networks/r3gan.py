"""R3GAN's networks (its Config E): residual, without normalisation, one the mirror image of the other.

In bfloat16 some of their stages next to the smallest stay in float32, and so do the head and the logit.

Reference: Huang, Gokaslan, Kuleshov, Tompkin, "The GAN is dead; long live the GAN! A Modern Baseline GAN",
NeurIPS 2024, section 3 and figure 1. The patches at the image end are ours: they trade detail for speed.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.configuration.vocabulary import ClassScale, Transitions, Upsampling
from gan.networks.full_precision import autocast_precision, full_precision
from gan.networks.initialisation import he_normal
from gan.networks.interface import Discriminator, Generator
from gan.networks.resampling import Downsample2, Upsample2
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
        class_scale: how the class embedding begins: `fan_in` with the deviation 1 / sqrt(K) of a linear layer on K
            one-hot classes, as published; `unit` with deviation 1.
        transitions: which 1x1 convolutions lie between stages: `all`, or those where the width `changes`, as published.
        fp32_stages: stages, from the first up, that stay in float32.
        upsampling: what lies beyond the edges of what is doubled.
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
        class_scale: ClassScale,
        transitions: Transitions,
        fp32_stages: int,
        upsampling: Upsampling,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.patch = patch
        self.fp32_stages = fp32_stages
        depth = len(widths) * blocks_per_stage
        self.embedding = _class_embedding(num_classes, embedding_dim, class_scale, gain=1.0)
        self.basis = nn.Parameter(torch.randn(widths[0], base, base))
        self.modulation = he_normal(
            nn.Linear(latent_dim + (embedding_dim if num_classes else 0), widths[0], bias=False)
        )
        self.transitions = nn.ModuleList(_transition(*pair, transitions) for pair in itertools.pairwise(widths))
        self.stages = nn.ModuleList(
            stage(width, blocks_per_stage, expansion=expansion, group_width=group_width, depth=depth)
            for width in widths
        )
        self.doublings = nn.ModuleList(Upsample2(base * 2**index, upsampling) for index in range(len(widths) - 1))
        self.to_image = he_normal(_image_conv(widths[-1], channels * patch**2, patch))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """As `Generator.forward`; not clamped."""
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], dim=1)
        z, context = full_precision(z, wanted=self.fp32_stages > 0)
        with context:
            x = self.basis[None] * self.modulation(z)[:, :, None, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for index, blocks in enumerate(self.stages):
            x, context = full_precision(x, wanted=index < self.fp32_stages)
            if index == self.fp32_stages:
                x = autocast_precision(x)
            with context:
                if index:
                    x = self.doublings[index - 1](self.transitions[index - 1](x))
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
        class_scale: how the class embedding begins: `fan_in` with the deviation 1 / sqrt(K E) for K classes in E
            dimensions, as published; `unit` with deviation 1, and every logit is divided by sqrt(E).
        transitions: as of `R3Generator`.
        fp32_stages: stages, from the last down, that stay in float32.

    Reference: projection: Miyato and Koyama, "cGANs with Projection Discriminator", ICLR 2018, equation (3).
    """

    from_the_image = ("stages", "transitions")

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
        class_scale: ClassScale,
        transitions: Transitions,
        fp32_stages: int,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.patch = patch
        self.bf16_stages = len(widths) - fp32_stages
        self.divided = class_scale == "unit"
        depth = len(widths) * blocks_per_stage
        down = list(reversed(widths))
        self.from_image = he_normal(_image_conv(channels * patch**2, down[0], patch))
        self.stages = nn.ModuleList(
            stage(width, blocks_per_stage, expansion=expansion, group_width=group_width, depth=depth) for width in down
        )
        self.transitions = nn.ModuleList(_transition(*pair, transitions) for pair in itertools.pairwise(down))
        self.head = DepthwiseHead(down[-1], base)
        self.output = he_normal(nn.Linear(down[-1], embedding_dim if num_classes else 1, bias=False))
        self.embedding = _class_embedding(num_classes, embedding_dim, class_scale, gain=embedding_dim**-0.5)
        self.halving = Downsample2()

    def by_stages(self) -> list[list[nn.Module]]:
        """As `Discriminator.by_stages`."""
        before = [self.from_image, *self.transitions]
        return [list(pair) for pair in zip(before, self.stages, strict=True)]

    def forward(self, images: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """As `Discriminator.forward`; nothing is drawn."""
        x = F.pixel_unshuffle(images, self.patch) if self.patch > 1 else images
        x = self.from_image(x.contiguous(memory_format=torch.channels_last))
        for index, blocks in enumerate(self.stages):
            if index:
                x = self._halved(x, index - 1)
            x, context = full_precision(x, wanted=index >= self.bf16_stages)
            with context:
                x = blocks(x)
        x, context = full_precision(x)
        with context:
            features: Tensor = self.output(self.head(x))
            return project(features, self.embedding, labels, divided=self.divided)

    def _halved(self, x: Tensor, index: int) -> Tensor:
        """On the way from a stage to the next one, in the precision of the former."""
        x, context = full_precision(x, wanted=index >= self.bf16_stages)
        with context:
            found: Tensor = self.transitions[index](self.halving(x))
            return found


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


def _transition(before: int, after: int, which: Transitions) -> nn.Module:
    """The 1x1 convolution between two stages of these widths; nothing where there is none."""
    if before == after and which == "changes":
        return nn.Identity()
    return he_normal(nn.Conv2d(before, after, 1, bias=False))


def _image_conv(before: int, after: int, patch: int) -> nn.Conv2d:
    """The convolution next to the image: 1x1 as published; over patches 3x3, or their edges would show."""
    side = 1 if patch == 1 else 3
    return nn.Conv2d(before, after, side, padding=side // 2, bias=False)


def _class_embedding(num_classes: int, size: int, scale: ClassScale, *, gain: float) -> nn.Embedding | None:
    """Weights [K, E] of deviation gain / sqrt(K) or 1; None where there are no classes."""
    if not num_classes:
        return None
    embedding = nn.Embedding(num_classes, size)
    if scale == "fan_in":
        nn.init.normal_(embedding.weight, std=gain * num_classes**-0.5)
    return embedding


def project(features: Tensor, embedding: nn.Embedding | None, labels: Tensor, *, divided: bool) -> Tensor:
    """Turn the head's features [N, E] into logits [N]: their product with the class embedding.

    Where there are no classes, E is 1 and the feature is the logit.

    Args:
        features: what the head found.
        embedding: of the classes, in E dimensions.
        labels: [N] int64.
        divided: whether the product is divided by sqrt(E).
    """
    if embedding is None:
        return features[:, 0]
    classes: Tensor = embedding(labels)
    logits = (features * classes).sum(1)
    return logits * classes.shape[1] ** -0.5 if divided else logits
