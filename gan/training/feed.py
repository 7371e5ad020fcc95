"""Batches of training images: which image goes where follows from the seed and the image's global index."""

from dataclasses import dataclass, fields
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from gan.training.draws import Draws, DrawsAhead
from gan.training.orders import EpochOrders
from gan.training.place import Budget, Place
from gan.training.rows import Rows, RowsInMemory, RowsOnDisk, mapped_file
from gan.training.stores import Held, Store, Streamed

COPIED_BYTES = 2**26
"""Of images that are copied to a GPU at once."""


@dataclass(frozen=True)
class Batch:
    """One worker's slice of a global batch.

    Attributes:
        indices: [n] int64, global image indices.
        rows: [n] int64, rows of the dataset, on the device.
        draws: what is drawn for them, on the device.
        real_images: [n, C, H, W] float32 in [-1, 1], flipped where the run flips.
        labels: [n] int64, -1 where the dataset has none.
    """

    indices: Tensor
    rows: Tensor
    draws: Draws
    real_images: Tensor
    labels: Tensor

    def __getitem__(self, which: slice) -> "Batch":
        """Return some of the images."""
        return Batch(*(getattr(self, field.name)[which] for field in fields(self)))


class Feed:
    """Draws batches; any batch can be had at any time, in any order, on any worker.

    Where the images are changes nothing of them. Closed when it is used in a `with`.

    Args:
        images: [N, H, W, C] uint8, may be memory-mapped.
        labels: [N] int64.
        seed: the run's seed.
        flip: mirror half of the images left to right.
        latent_dim: dimensions of the z that is drawn for each image.
        augmentation: numbers that are drawn for how an image is augmented; 0 where none is.
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
        latent_dim: int,
        augmentation: int = 0,
        device: torch.device,
        batch_size: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.labels = torch.from_numpy(np.array(labels)).to(device)
        self.flip = flip
        self.device = device
        self._orders = EpochOrders(seed, len(labels), device)
        self._draws = DrawsAhead(seed, device, latent_dim=latent_dim, augmentation=augmentation)
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
        self._orders.close()

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
        return Streamed(rows, self._orders.on_host, device=self.device, batch_size=batch_size, ahead_bytes=ahead)

    def batch(self, start: int, stop: int) -> Batch:
        """Return the images with global indices start to stop - 1."""
        rows, draws = self._orders.on_device(start, stop), self._draws.of(start, stop)
        images = self._store.take(start, stop, rows)
        if self.flip:
            images = _mirrored(images, draws.mirrored)
        # channels first, in memory order of channels last: the permute costs nothing, then or later
        real_images = images.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)
        return Batch(torch.arange(start, stop), rows, draws, real_images, self.labels.index_select(0, rows))


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
