"""Batches from the resident dataset: which image goes where follows from the seed and the image's global index."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan.keyed_random import Purpose, epoch_order, image_seeds, integers

AHEAD = 8192
"""Images whose seeds are drawn at once."""


@dataclass(frozen=True)
class Batch:
    """One worker's slice of a global batch.

    Attributes:
        indices: [n] int64, global image indices.
        rows: [n] int64, rows of the dataset.
        seeds: [n] int64, the images' random seeds, on the device.
        real_images: [n, C, H, W] float32 in [-1, 1], flipped where the run flips.
        labels: [n] int64, -1 where the dataset has none.
    """

    indices: Tensor
    rows: Tensor
    seeds: Tensor
    real_images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class _Draws:
    """For global image indices from `start` on: their seeds [n] int64, and [n] uint8, 255 for those to mirror."""

    start: int
    seeds: Tensor
    mirrored: Tensor


class Feed:
    """Draws batches; any batch can be had at any time, in any order, on any worker.

    Args:
        images: [N, H, W, C] uint8, may be memory-mapped.
        labels: [N] int64.
        seed: the run's seed.
        flip: mirror half of the images left to right.
        device: where batches are made; the dataset itself is put there if it is a GPU.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, *, seed: int, flip: bool, device: torch.device) -> None:
        self.images = torch.from_numpy(np.array(images)).to(device)
        self.labels = torch.from_numpy(np.array(labels)).to(device)
        self.seed = seed
        self.flip = flip
        self.device = device
        self._orders: dict[int, Tensor] = {}
        self._ahead = _Draws(0, torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.uint8))

    def batch(self, start: int, stop: int) -> Batch:
        """Return the images with global indices start to stop - 1."""
        rows = self._rows(start, stop)
        drawn = self._draws(start, stop)
        on_device = rows.to(self.device)
        images = self.images.index_select(0, on_device)
        if self.flip:
            images = _mirrored(images, drawn.mirrored)
        # channels first, in memory order of channels last: the permute costs nothing, then or later
        real_images = images.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)
        return Batch(torch.arange(start, stop), rows, drawn.seeds, real_images, self.labels.index_select(0, on_device))

    def _rows(self, start: int, stop: int) -> Tensor:
        """Dataset rows [n] of global image indices: each pass over the dataset is a new permutation."""
        size = len(self.labels)
        epochs = range(start // size, -(-stop // size))
        self._orders = {e: self._orders[e] if e in self._orders else epoch_order(self.seed, e, size) for e in epochs}
        pieces = [self._orders[e][max(start - e * size, 0) : stop - e * size] for e in epochs]
        return torch.cat(pieces) if pieces else torch.empty(0, dtype=torch.int64)

    def _draws(self, start: int, stop: int) -> _Draws:
        """What is drawn for global image indices; thousands ahead, since a draw costs the same for few as for many."""
        ahead = self._ahead
        if not ahead.start <= start <= stop <= ahead.start + len(ahead.seeds):
            indices = torch.arange(start, max(stop, start + AHEAD), device=self.device)
            seeds = image_seeds(self.seed, indices)
            ahead = self._ahead = _Draws(start, seeds, integers(seeds, Purpose.FLIP, 2).mul_(255).byte())
        here = slice(start - ahead.start, stop - ahead.start)
        return _Draws(start, ahead.seeds[here], ahead.mirrored[here])


def _mirrored(images: Tensor, which: Tensor) -> Tensor:
    """Mirror images [n, H, W, C] uint8 where `which` [n] is 255 and not 0.

    `torch.where` with one condition for a whole image takes four times as long on a CPU.
    """
    difference = images.flip(2).bitwise_xor_(images)
    return difference.bitwise_and_(which[:, None, None, None]).bitwise_xor_(images)


def worker_slice(start: int, batch_size: int, rank: int, world_size: int) -> tuple[int, int]:
    """The part [first, last) of the global batch that begins at image `start` which falls to a rank; may be uneven."""
    return start + batch_size * rank // world_size, start + batch_size * (rank + 1) // world_size
