"""The discriminator: the generator's mirror image, with class projection at the end."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan.networks.blocks import LEAKY_GAIN, ResidualBlock, downsample2, init_conv


class Discriminator(nn.Module):
    """Maps an image and its class to one logit; larger means more like a real image.

    Args:
        resolution: side of the images in pixels; must be 4 * 2**(stages - 1) * patch.
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional discriminator.
        embedding_dim: dimensions of the head and of the class embedding that it is projected on.
        widths: channels per stage, from 4x4 up (the last one is the first that an image meets).
        blocks_per_stage: residual blocks in each stage.
        group_width: channels per group of the 3x3 convolutions.
        expansion: inner width of a block over its outer width.
        patch: side of the pixel patches folded into channels before the first layer.

    Reference: Huang et al. 2024, section 3; projection: Miyato and Koyama, "cGANs with Projection Discriminator",
    ICLR 2018, equation (3).
    """

    def __init__(
        self,
        *,
        resolution: int,
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
        assert resolution == 4 * 2 ** (len(widths) - 1) * patch
        self.num_classes = num_classes
        self.patch = patch
        depth = len(widths) * blocks_per_stage
        down = list(reversed(widths))
        self.from_image = init_conv(nn.Conv2d(channels * patch**2, down[0], 1), LEAKY_GAIN)
        self.stages = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(width, expansion, group_width, depth) for _ in range(blocks_per_stage)))
            for width in down
        )
        self.transitions = nn.ModuleList(
            init_conv(nn.Conv2d(before, after, 1, bias=False), 1.0) for before, after in itertools.pairwise(down)
        )
        # A depthwise 4x4 kernel reads each channel once; the linear layer mixes what it found.
        self.head = init_conv(nn.Conv2d(down[-1], down[-1], 4, groups=down[-1], bias=False), 1.0)
        self.output = nn.Linear(down[-1], embedding_dim if num_classes else 1, bias=False)
        nn.init.normal_(self.output.weight, std=down[-1] ** -0.5)
        self.embedding = nn.Embedding(num_classes, embedding_dim) if num_classes else None

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Score images.

        Args:
            images: [N, C, H, W] float32 in about [-1, 1].
            labels: [N] int64 in [0, num_classes); ignored by an unconditional discriminator.

        Returns:
            [N] float32 logits.
        """
        x = F.pixel_unshuffle(images, self.patch) if self.patch > 1 else images
        x = self.from_image(x.contiguous(memory_format=torch.channels_last))
        for index, stage in enumerate(self.stages):
            if index:
                x = downsample2(self.transitions[index - 1](x))
            x = stage(x)
        features: Tensor = self.output(self.head(x).flatten(1))
        if self.embedding is None:
            return features[:, 0]
        classes: Tensor = self.embedding(labels)
        logits: Tensor = (features * classes).sum(1) * classes.shape[1] ** -0.5
        return logits
