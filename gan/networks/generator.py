"""The generator: a learned 4x4 basis, residual stages, an image."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.blocks import LEAKY_GAIN, ResidualBlock, init_conv, upsample2


class Generator(nn.Module):
    """Maps noise and class to an image.

    Args:
        resolution: side of the images in pixels; must be 4 * 2**(stages - 1) * patch.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional generator.
        latent_dim: dimensions of z.
        embedding_dim: dimensions of the class embedding.
        widths: channels per stage, from 4x4 up.
        blocks_per_stage: residual blocks in each stage.
        group_width: channels per group of the 3x3 convolutions.
        expansion: inner width of a block over its outer width.
        patch: side of the pixel patches that the last layer unfolds.

    Reference: Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024, section 3.
    """

    def __init__(
        self,
        *,
        resolution: int,
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
        assert resolution == 4 * 2 ** (len(widths) - 1) * patch
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.patch = patch
        depth = len(widths) * blocks_per_stage
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None
        mapped = latent_dim + (embedding_dim if num_classes else 0)
        self.basis = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.modulation = nn.Linear(mapped, widths[0], bias=False)
        nn.init.normal_(self.modulation.weight, std=mapped**-0.5)
        self.transitions = nn.ModuleList(
            init_conv(nn.Conv2d(before, after, 1, bias=False), 1.0) for before, after in itertools.pairwise(widths)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, expansion, group_width, depth) for _ in range(blocks_per_stage)))
            for width in widths
        )
        self.to_image = init_conv(nn.Conv2d(widths[-1], channels * patch**2, 1), LEAKY_GAIN * 0.5)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Generate images.

        Args:
            z: [N, latent_dim] float32, standard normal.
            labels: [N] int64 in [0, num_classes); ignored by an unconditional generator.

        Returns:
            [N, C, H, W] float32, trained towards [-1, 1] and not clamped.
        """
        if self.embedding is not None:
            z = torch.cat([z, self.embedding(labels)], dim=1)
        x = self.basis[None] * self.modulation(z)[:, :, None, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for index, stage in enumerate(self.stages):
            if index:
                x = upsample2(self.transitions[index - 1](x))
            x = stage(x)
        image: Tensor = self.to_image(x)
        return F.pixel_shuffle(image, self.patch) if self.patch > 1 else image
