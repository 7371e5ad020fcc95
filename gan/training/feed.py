"""Batches of training images: which image goes where follows from the seed and the image's global index."""

from dataclasses import dataclass
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from gan.keyed_random import Purpose, epoch_order, image_seeds, integers
from gan.training.place import Budget, Place
from gan.training.rows import Rows, RowsInMemory, RowsOnDisk, mapped_file
from gan.training.stores import Held, Store, Streamed

AHEAD = 8192
"""Images whose seeds are drawn at once."""
COPIED_BYTES = 2**26
"""Of images that are copied to a GPU at once."""


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

    Where the images are changes nothing of them. Closed when it is used in a `with`.

    Args:
        images: [N, H, W, C] uint8, may be memory-mapped.
        labels: [N] int64.
        seed: the run's seed.
        flip: mirror half of the images left to right.
        device: where batches are made.
        batch_size: images of all workers in a step, by which the next batch is known before it is asked for.
        budget: what may be held of the images; None: all of them on the device.

    Raises:
        ReadError: they are to be read from their file, and it cannot be read.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        seed: int,
        flip: bool,
        device: torch.device,
        batch_size: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.labels = torch.from_numpy(np.array(labels)).to(device)
        self.seed = seed
        self.flip = flip
        self.device = device
        self._orders: dict[int, Tensor] = {}
        self._ahead = _Draws(0, torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.uint8))
        if budget is None:
            budget = Budget(images.nbytes, None if device.type == "cpu" else images.nbytes)
        self._store = self._open(images, budget, batch_size)

    def __enter__(self) -> "Feed":
        """Return the feed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the threads that read; no batch can be had any more."""
        self._store.close()

    def _open(self, images: np.ndarray, budget: Budget, batch_size: int | None) -> Store:
        place, file = budget.place(images), mapped_file(images)
        if place in (Place.DEVICE, Place.HOST):
            return Held(_held(images, self.device))
        rows: Rows
        if place is Place.FILE and file is not None:
            rows = RowsOnDisk(*file, images.shape)
        else:
            rows = RowsInMemory(_in_memory(images))
        ahead = budget.host // 4
        return Streamed(rows, self._rows, device=self.device, batch_size=batch_size, ahead_bytes=ahead)

    def batch(self, start: int, stop: int) -> Batch:
        """Return the images with global indices start to stop - 1."""
        rows = self._rows(start, stop)
        drawn = self._draws(start, stop)
        on_device = rows.to(self.device)
        images = self._store.take(start, stop, on_device)
        if self.flip:
            images = _mirrored(images, drawn.mirrored)
        # channels first, in memory order of channels last: the permute costs nothing, then or later
        real_images = images.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)
        return Batch(torch.arange(start, stop), rows, drawn.seeds, real_images, self.labels.index_select(0, on_device))

    def _rows(self, start: int, stop: int) -> Tensor:
        """Dataset rows [n] of global image indices: each pass over the dataset is a new permutation."""
        size = len(self.labels)
        epochs = range(start // size, -(-stop // size))
        if new := [epoch for epoch in epochs if epoch not in self._orders]:
            near = range(epochs.start - 1, epochs.stop + 1)  # what is read ahead may be of the next pass already
            self._orders = {epoch: order for epoch, order in self._orders.items() if epoch in near}
            self._orders |= {epoch: epoch_order(self.seed, epoch, size) for epoch in new}
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


def _in_memory(images: np.ndarray) -> np.ndarray:
    """The images in memory, read if they are a map of a file; PyTorch wants to be allowed to write."""
    if (file := mapped_file(images)) is None:
        return np.require(images, requirements=("C", "W"))
    found = np.empty(images.shape, np.uint8)
    with RowsOnDisk(*file, images.shape) as rows:  # by calls it takes half the time that a map does
        rows.read(np.arange(len(images)), torch.from_numpy(found))
    return found


def _held(images: np.ndarray, device: torch.device) -> Tensor:
    """All images on a device; to a GPU a block at a time, for memory may have less room than it."""
    if device.type == "cpu":
        return torch.from_numpy(_in_memory(images))
    found = torch.empty(images.shape, dtype=torch.uint8, device=device)
    each = max(1, COPIED_BYTES // max(1, images[:1].nbytes))
    for first in range(0, len(images), each):
        found[first : first + each].copy_(torch.from_numpy(_in_memory(images[first : first + each])))
    return found


def _mirrored(images: Tensor, which: Tensor) -> Tensor:
    """Mirror images [n, H, W, C] uint8 where `which` [n] is 255 and not 0.

    `torch.where` with one condition for a whole image takes four times as long on a CPU.
    """
    difference = images.flip(2).bitwise_xor_(images)
    return difference.bitwise_and_(which[:, None, None, None]).bitwise_xor_(images)


def worker_slice(start: int, batch_size: int, rank: int, world_size: int) -> tuple[int, int]:
    """The part [first, last) of the global batch that begins at image `start` which falls to a rank; may be uneven."""
    return start + batch_size * rank // world_size, start + batch_size * (rank + 1) // world_size
