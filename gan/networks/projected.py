"""A discriminator that looks at images through features that others have learned: for few images.

Features at four scales are mixed by random weights that stay as they are, over channels and from the coarse scales to
the fine ones, so that no scale and no channel can be done without. Each scale then has a head of its own that judges.

Reference: Sauer, Chitta, Müller, Geiger, "Projected GANs Converge Faster", NeurIPS 2021, section 3 and figure 1. Other
than there, a coarse scale is convolved before it is doubled and not after, and the heads have no batch normalisation,
so that an image is judged by itself.
"""

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from gan.keyed_random import Purpose, normal
from gan.networks.efficientnet import FrozenFeatures
from gan.networks.feature_scales import STRIDES, WIDTHS
from gan.networks.few_shot_shape import LAST_KERNEL, mixed_widths
from gan.networks.full_precision import doubled, full_precision
from gan.networks.initialisation import LEAKY_GAIN, LEAKY_SLOPE, he_normal
from gan.networks.interface import Discriminator


class ProjectedDiscriminator(Discriminator):
    """A head for each scale of frozen features; every place of a head's last map is a logit.

    Args:
        channels: image channels C, 1 or 3.
        num_classes: classes, 0 for an unconditional discriminator.
        embedding_dim: dimensions of each head and of the class embedding that it is projected on.
        feature_side: side in pixels that images are resized to, a multiple of 32; with 256 a head has 5 x 5 logits,
            with 128 and less one.
        mixed_width: channels of the finest scale as it is mixed; each coarser one has twice as many.

    Raises:
        WeightsError: the features' weights are not installed.
    """

    def __init__(
        self, *, channels: int, num_classes: int, embedding_dim: int, feature_side: int, mixed_width: int
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.feature_side = feature_side
        self.features = FrozenFeatures()
        widths = mixed_widths(mixed_width, len(STRIDES))
        self.mixing = RandomMixing(widths)
        self.heads = nn.ModuleList(
            Head(width, len(widths) - 1 - scale, feature_side // STRIDES[-1], num_classes, embedding_dim)
            for scale, width in enumerate(widths)
        )

    def forward(self, images: Tensor, labels: Tensor, seeds: Tensor) -> Tensor:
        """As `Discriminator.forward`: [N, K] logits, of all places of all heads; nothing is drawn."""
        x = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        if x.shape[-1] != self.feature_side:
            smaller = x.shape[-1] > self.feature_side
            x = F.interpolate(x, size=(self.feature_side,) * 2, mode="bilinear", antialias=smaller)
        mixed = self.mixing(self.features(x))
        return torch.cat([head(each, labels) for head, each in zip(self.heads, mixed, strict=True)], dim=1)


class RandomMixing(nn.Module):
    """Mixes channels at each scale, and then each scale into the next finer one, by weights that are never trained.

    The weights are keyed draws and the same in every discriminator of these widths, so no checkpoint has them.

    Args:
        widths: channels of each scale as it is mixed, from the finest.
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        shapes = [(after, before, 1, 1) for before, after in zip(WIDTHS, widths, strict=True)]
        shapes += [(fine, coarse, 3, 3) for fine, coarse in itertools.pairwise(widths)]
        for seed, shape in enumerate(shapes):
            self.register_buffer(f"weight_{seed}", _drawn(seed, shape), persistent=False)
        self.scales = len(widths)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Map features [N, WIDTHS[i], S/2^i, S/2^i] to [N, widths[i], S/2^i, S/2^i], the finest first."""
        weights = [getattr(self, f"weight_{index}") for index in range(2 * self.scales - 1)]
        found = [F.conv2d(each, weight) for each, weight in zip(features, weights, strict=False)]
        for scale in reversed(range(self.scales - 1)):
            coarse = F.conv2d(found[scale + 1], weights[self.scales + scale], padding=1)
            found[scale] = (found[scale] + doubled(coarse, "bilinear")) * 0.5**0.5
        return found


def _drawn(seed: int, shape: tuple[int, int, int, int]) -> Tensor:
    """Weights of deviation 1 / sqrt(fan_in), the same on every device and in every version of PyTorch."""
    outputs, fan_in = shape[0], shape[1] * shape[2] * shape[3]
    with torch.device("cpu"):
        keys = torch.arange(outputs, dtype=torch.int64) + (seed << 32)
        weight = normal(keys, Purpose.MIXING, fan_in).view(shape) / fan_in**0.5
        return torch.empty_like(weight, memory_format=torch.channels_last).copy_(weight)


class Head(nn.Module):
    """Judges one scale: halves its side as often as the coarsest has been, and gives each place that is left a logit.

    Every layer is spectrally normalised: Miyato, Kataoka, Koyama, Yoshida, ICLR 2018.

    Args:
        width: channels of its input.
        halvings: how often the side is halved; channels double with each.
        last_side: of what is left.
        num_classes: classes, 0 for none.
        embedding_dim: of the class embedding.
    """

    def __init__(self, width: int, halvings: int, last_side: int, num_classes: int, embedding_dim: int) -> None:
        super().__init__()
        layers = [nn.Conv2d(width, width, 1)]
        for halving in range(halvings):
            layers.append(nn.Conv2d(width << halving, width << (halving + 1), 4, stride=2, padding=1))
        self.layers = nn.ModuleList(spectral_norm(he_normal(layer, LEAKY_GAIN)) for layer in layers)
        last = nn.Conv2d(width << halvings, embedding_dim if num_classes else 1, min(LAST_KERNEL, last_side))
        self.output = spectral_norm(he_normal(last))
        self.embedding = spectral_norm(nn.Embedding(num_classes, embedding_dim)) if num_classes else None

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Map features [N, width, S, S] to logits [N, places]."""
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAKY_SLOPE)
        x, context = full_precision(x)
        with context:
            found: Tensor = self.output(x).flatten(2)
            if self.embedding is None:
                return found[:, 0]
            classes: Tensor = self.embedding(labels)
            products: Tensor = (found * classes[:, :, None]).sum(1)
            return products / math.sqrt(classes.shape[1])
