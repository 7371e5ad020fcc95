"""Batches from the resident dataset: which image goes where follows from the seed and the image's global index."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan.keyed_random import Purpose, epoch_order, image_seeds, integers


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
        # Channels first in memory order of channels last: the permute below costs nothing, then or later.
        self.images = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(device)
        self.labels = torch.from_numpy(np.array(labels)).to(device)
        self.seed = seed
        self.flip = flip
        self.device = device
        self._orders: dict[int, Tensor] = {}

    def rows(self, indices: Tensor) -> Tensor:
        """Dataset rows [n] of global image indices [n]: each pass over the dataset is a new permutation."""
        size = len(self.labels)
        epochs = indices // size
        wanted = sorted(set(epochs.tolist()))
        self._orders = {e: self._orders[e] if e in self._orders else epoch_order(self.seed, e, size) for e in wanted}
        rows = torch.empty_like(indices)
        for epoch in wanted:
            here = epochs == epoch
            rows[here] = self._orders[epoch][indices[here] % size]
        return rows

    def batch(self, start: int, stop: int) -> Batch:
        """Return the images with global indices start to stop - 1."""
        indices = torch.arange(start, stop, dtype=torch.int64)
        rows = self.rows(indices)
        seeds = image_seeds(self.seed, indices.to(self.device))
        on_device = rows.to(self.device)
        images = self.images[on_device].to(torch.float32).div_(127.5).sub_(1.0)
        if self.flip:
            mirrored = integers(seeds, Purpose.FLIP, 2).bool()
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        return Batch(indices, rows, seeds, images, self.labels[on_device])


def worker_slice(start: int, batch_size: int, rank: int, world_size: int) -> tuple[int, int]:
    """The part [first, last) of the global batch that begins at image `start` which falls to a rank; may be uneven."""
    return start + batch_size * rank // world_size, start + batch_size * (rank + 1) // world_size
