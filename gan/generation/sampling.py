"""Images from seeds: the function that training snapshots, the exported program and releases all share."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan.keyed_random import Purpose, integers, normal
from gan.networks.interface import Generator

Program = Callable[[Tensor], Tensor]
"""Maps rows (seed, label) [N, 2] int64 to images [N, H, W, C] uint8: an exported generator."""

DRAW_BATCH, DRAW_PIXELS = 256, 2**21
"""Of a pass, at most: 32 images of 256 px. A generator keeps tens of megabytes of each on its way there."""


def to_uint8(images: Tensor) -> Tensor:
    """Quantise [N, C, H, W] float32 in about [-1, 1] to [N, H, W, C] uint8, rounding to nearest."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def resolve_labels(seeds: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Replace label -1 by a class drawn from the seed.

    Args:
        seeds: [N] int64.
        labels: [N] int64 in [-1, num_classes); anything where `num_classes` is 0.
        num_classes: classes, 0 for an unconditional model.

    Returns:
        [N] int64 in [0, num_classes), zeros for an unconditional model.
    """
    if not num_classes:
        return torch.zeros_like(labels)
    return torch.where(labels == -1, integers(seeds, Purpose.LABEL, num_classes), labels)


def on_device(program: Program, device: torch.device) -> Program:
    """Return a program that lies on a device as one that takes its rows from wherever they are."""
    return lambda rows: program(rows.to(device))


@torch.no_grad()
def sample_uint8(
    G: Generator, seeds: Tensor, labels: Tensor, device: torch.device, batch_size: int | None = None
) -> np.ndarray:
    """Draw images from a generator in memory.

    Args:
        G: the generator.
        seeds: [N] int64.
        labels: [N] int64, -1 for a class drawn from the seed.
        device: where G is.
        batch_size: images of a pass; None: all of them.

    Returns:
        [N, H, W, C] uint8.
    """
    seeds, labels = seeds.to(device), resolve_labels(seeds.to(device), labels.to(device), G.num_classes)
    z, size = normal(seeds, Purpose.LATENT, G.latent_dim), batch_size or len(seeds)
    parts = [to_uint8(G(*part)) for part in zip(torch.split(z, size), torch.split(labels, size), strict=True)]
    return torch.cat(parts).cpu().numpy()


def draw(
    program: Program, seeds: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]
) -> Iterator[npt.NDArray[np.uint8]]:
    """Generate in batches, which are the smaller the larger images are.

    Args:
        program: maps [n, 2] int64 to [n, H, W, C] uint8.
        seeds: [N] int64.
        labels: [N] int64.

    Yields:
        [n, H, W, C] uint8 in the order of the seeds.
    """
    rows = torch.from_numpy(np.stack([seeds, labels], axis=1))
    with torch.no_grad():
        height, width = program(rows[:1]).shape[1:3]
        for part in torch.split(rows, images_of_a_pass(height, width)):
            yield program(part).cpu().numpy()


def images_of_a_pass(height: int, width: int, most: int = DRAW_BATCH) -> int:
    """Return how many images of that size are drawn at once: `most`, fewer of large ones."""
    return max(1, min(most, DRAW_PIXELS // (height * width)))
