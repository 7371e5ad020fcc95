"""A worker's slice of a batch in pieces, and the sums over what is found of each."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from gan.objective.gradients import ImagePairs, Terms
from gan.training.feed import Batch

Found = tuple[list[Tensor], Terms]
"""A gradient for each parameter, and terms."""


class Made(NamedTuple):
    """Images that G has made in a step.

    Attributes:
        images: [n, C, H, W] float32, with their graph, if any.
        pairs: what D is shown of them.
    """

    images: Tensor
    pairs: ImagePairs


def pieces_of(batch: Batch, count: int) -> list[Batch]:
    """Cut a slice into so many pieces, as even as can be; into fewer where it has fewer images."""
    count = min(count, max(len(batch.labels), 1))
    if count == 1:
        return [batch]
    size, longer = divmod(len(batch.labels), count)
    bounds = [size * piece + min(piece, longer) for piece in range(count + 1)]
    return [batch[slice(*ends)] for ends in pairwise(bounds)]


def columns_of(batch: Batch) -> list[Tensor]:
    """What a step reads of a batch."""
    draws = batch.draws
    return [batch.real_images, batch.labels, draws.seeds, draws.fake_seeds, draws.z, draws.augmentation]


def with_columns(batch: Batch, columns: Sequence[Tensor]) -> Batch:
    """The batch with other tensors in the place of `columns_of`."""
    real_images, labels, seeds, fake_seeds, z, augmentation = columns
    draws = replace(batch.draws, seeds=seeds, fake_seeds=fake_seeds, z=z, augmentation=augmentation)
    return replace(batch, real_images=real_images, labels=labels, draws=draws)


def summed(one: Found, other: Found, *, lasting: bool) -> Found:
    """Add gradients and terms.

    Args:
        one: of the pieces before, nothing at first.
        other: of the next.
        lasting: whether these tensors stay as they are while the next piece is computed.
    """
    if not one[0] and lasting:
        return other
    if not one[0]:
        return [each.clone() for each in other[0]], {name: value.clone() for name, value in other[1].items()}
    # not in place: autograd may give two parameters one and the same tensor
    gradients = list(torch._foreach_add(one[0], other[0]))
    return gradients, {name: value + other[1][name] for name, value in one[1].items()}
