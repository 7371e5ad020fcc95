"""Features that nobody trained: colours, and the orientations of edges, place by place.

Inception's features know ImageNet's classes, and a distance by them falls when a generator makes what those classes are
told by, better images or not; most so where its discriminator looked through a network trained on ImageNet, too. These
features cannot be fitted that way. They see less: what is where, not what it is.

Reference: Kynkäänniemi, Karras, Aittala, Aila, Lehtinen, "The Role of ImageNet Classes in Fréchet Inception Distance",
ICLR 2023; Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, section 6.
"""

import hashlib
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from gan.metrics.network import FeatureNetwork

SIDE, CELL, ORIENTATIONS = 64, 8, 8
"""Of the images, of the cells within which edges are counted, both in pixels; and directions of edges."""
NETWORK = "pixels"
_VERSION = b"ganflow pixel features 1"


def pixel_network(device: str | torch.device = "cpu") -> FeatureNetwork:
    """Return what maps images to [N, 832] features, in the place of a network.

    Args:
        device: where it computes.
    """
    return FeatureNetwork(
        NETWORK, hashlib.sha256(_VERSION).hexdigest(), "fp32", torch.device(device), SIDE, pixel_features
    )


@torch.no_grad()
def pixel_features(images: Tensor) -> Tensor:
    """Return colours and edges of images.

    Args:
        images: [N, 3, 64, 64] float32 in [0, 255].

    Returns:
        [N, 832] float32, most of them between 0 and 1: 8 x 8 mean colours; edges of 8 directions in 8 x 8 cells, and
        in 4 x 4 cells of the image at half its side.
    """
    images = images.float() / 255.0
    grey = images.mean(dim=1, keepdim=True)
    colours = F.avg_pool2d(images, CELL)
    parts = (colours, _edges(grey), _edges(F.avg_pool2d(grey, 2)))
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _edges(grey: Tensor) -> Tensor:
    """[N, 1, S, S] to [N, 8, S/8, S/8]: how strong edges of each direction are, its root."""
    around = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = around[:, :, 1:-1, 2:] - around[:, :, 1:-1, :-2]
    down = around[:, :, 2:, 1:-1] - around[:, :, :-2, 1:-1]
    strength = (across.square() + down.square()).sqrt()
    # an edge has no sign: directions from 0 to pi, each shared between the two bins that it lies between
    place = torch.atan2(down, across).remainder(math.pi) * (ORIENTATIONS / math.pi)
    bins = torch.arange(ORIENTATIONS, device=grey.device).view(1, -1, 1, 1)
    apart = (place - bins).abs()
    shares = (1.0 - torch.minimum(apart, ORIENTATIONS - apart)).clamp_min(0.0)
    return F.avg_pool2d(strength * shares, CELL).sqrt()
