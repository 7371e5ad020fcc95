"""Differentiable augmentation of what the discriminator sees, so that few images are not learned by heart.

Operations are DiffAugment's, and in `gan.objective.ada` ADA's.

Reference: Zhao, Liu, Lin, Zhu, Han, "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS 2020,
equations (4) to (6); that each is applied to an image with a probability: Karras et al., "Training Generative
Adversarial Networks with Limited Data", NeurIPS 2020, section 2.2.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from gan.configuration.vocabulary import Operation
from gan.keyed_random import Purpose, uniform
from gan.objective.ada import COLOUR_NUMBERS, GEOMETRY_NUMBERS, colours, geometry

SHIFT = 1 / 8
"""Of the side, by which an image is moved at most."""
CUT = 1 / 2
"""Side of the square that is cut out, over the image's."""
DRAWS = 4
"""Uniform numbers that an operation may use for an image; the first says whether it is applied."""


def numbers_of(operations: Sequence[Operation]) -> int:
    """Return how many uniform numbers are drawn for an image where a run has these operations."""
    return max((SPANS[name].stop for name in operations), default=0)


def augmentation_draws(seeds: Tensor, numbers: int) -> Tensor:
    """Return what decides how images with some seeds [N] int64 are augmented: [N, numbers] float32 in [0, 1)."""
    return uniform(seeds, Purpose.AUGMENT, numbers)


def augment(
    images: Tensor,
    draws: Tensor,
    operations: Sequence[Operation],
    probability: Tensor | float,
    colour_share: float = 1.0,
) -> Tensor:
    """Apply each operation to each image with a probability; differentiable by the images.

    Args:
        images: [N, C, H, W] float32 in about [-1, 1].
        draws: [N, at least `numbers_of` the operations] float32, from `augmentation_draws`.
        operations: which, in this order; none returns the images as they are.
        probability: of each operation for each image, in [0, 1]; of those of `gan.objective.ada` of each of its parts.
        colour_share: factor of it for `ada-colour`.

    Returns:
        [N, C, H, W] float32.
    """
    for name in operations:
        own = draws[:, SPANS[name]]
        if name == "ada-geometry":
            images = geometry(images, own, probability)
        elif name == "ada-colour":
            images = colours(images, own, probability * colour_share)
        else:
            chosen = (own[:, 0] < probability)[:, None, None, None]
            images = torch.where(chosen, OPERATIONS[name](images, own[:, 1:].to(images.dtype)), images)
    return images


def _flip(images: Tensor, draws: Tensor) -> Tensor:
    """Mirror half of the images left to right."""
    return torch.where((draws[:, 0] < 0.5)[:, None, None, None], images.flip(3), images)


def _colour(images: Tensor, draws: Tensor) -> Tensor:
    """Shift brightness by -0.5 to 0.5, scale saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    brightness, saturation, contrast = draws[:, :, None, None, None].unbind(1)
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = torch.lerp(grey, images, 2.0 * saturation)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, 0.5 + contrast)


def _translation(images: Tensor, draws: Tensor) -> Tensor:
    """Move each image by up to an eighth of its side, with zeros (mid-grey) coming in."""
    for dim, draw in ((2, draws[:, 0]), (3, draws[:, 1])):
        side = images.shape[dim]
        most = int(side * SHIFT + 0.5)
        shift = (draw * (2 * most + 1)).long() - most
        source = torch.arange(side, device=images.device)[None] - shift[:, None]
        index = source.clamp(0, side - 1)
        inside = source == index
        shape = (-1, 1, side, 1) if dim == 2 else (-1, 1, 1, side)
        moved = images.gather(dim, index.view(shape).expand_as(images))
        images = moved * inside.view(shape)
    return images


def _cutout(images: Tensor, draws: Tensor) -> Tensor:
    """Set a square of half the side to zero, its centre anywhere in the image."""
    masks = []
    for dim, draw in ((2, draws[:, 0]), (3, draws[:, 1])):
        side = images.shape[dim]
        width = int(side * CUT + 0.5)
        start = (draw * (side + 1 - width % 2)).long() - width // 2
        place = torch.arange(side, device=images.device)[None] - start[:, None]
        masks.append((place >= 0) & (place < width))
    hole = masks[0][:, None, :, None] & masks[1][:, None, None, :]
    return images * ~hole


OPERATIONS: dict[Operation, Callable[[Tensor, Tensor], Tensor]] = {
    "flip": _flip,
    "colour": _colour,
    "translation": _translation,
    "cutout": _cutout,
}
"""From images [N, C, H, W] and draws [N, 3] in [0, 1) to images; the order of the names is that of the draws."""
_ADA: dict[Operation, int] = {"ada-geometry": GEOMETRY_NUMBERS, "ada-colour": COLOUR_NUMBERS}
_ENDS = tuple(accumulate([*(DRAWS for _ in OPERATIONS), *_ADA.values()], initial=0))
SPANS: dict[Operation, slice] = {
    name: slice(*ends) for name, ends in zip((*OPERATIONS, *_ADA), pairwise(_ENDS), strict=True)
}
"""Of an image's uniform numbers, which are an operation's own, whichever others a run has."""
