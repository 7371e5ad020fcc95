"""What a feed takes its images from: all of them in one tensor, or rows that are read beside the step."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gan.training.rows import Rows

READERS = 4
"""Threads: a disk takes several reads at once."""
AHEAD_BYTES = 2**28
"""Images that may be read before they are needed, and at least the next batch, and the one after."""
MOST_AHEAD = 32
"""Batches: more gain nothing."""


class Store(Protocol):
    """Images by their global index."""

    def take(self, start: int, stop: int, rows: Tensor) -> Tensor:
        """Return the images of a batch: [n, H, W, C] uint8 on the device, the caller's own.

        Args:
            start: global index of the first.
            stop: global index behind the last.
            rows: [n] int64, where they are in the dataset, on the device.
        """

    def close(self) -> None:
        """End what works beside the training."""


class Held:
    """All images on the device.

    Args:
        images: [N, H, W, C] uint8.
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def take(self, start: int, stop: int, rows: Tensor) -> Tensor:
        """Return the images of some rows."""
        return self.images.index_select(0, rows)

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class _Coming:
    """A batch on its way: its images in the order of their rows, and at which place there each of the batch is."""

    images: Future[Tensor]
    places: Tensor


class Streamed:
    """Images that threads read before they are needed, and on a GPU copy there on a stream of their own.

    Which batch comes next is a guess: the same stretch a global batch further. Any other can be had, and is waited for.

    Args:
        source: where the images are.
        rows_of: rows [n] int64 on the CPU of global indices start to stop - 1.
        device: where batches are made.
        batch_size: images of all workers in a step; None: nothing is read before it is asked for.
        ahead_bytes: of images that may be read ahead.
    """

    def __init__(
        self,
        source: Rows,
        rows_of: Callable[[int, int], Tensor],
        *,
        device: torch.device,
        batch_size: int | None,
        ahead_bytes: int = AHEAD_BYTES,
    ) -> None:
        self.source, self.device = source, device
        self._rows_of, self._batch_size = rows_of, batch_size
        self._ahead_bytes = min(ahead_bytes, AHEAD_BYTES)
        self._image_bytes = int(np.prod(source.shape[1:]))
        self._coming: dict[tuple[int, int], _Coming] = {}
        self._buffers: deque[Tensor] = deque()
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._readers = ThreadPoolExecutor(READERS, "training-images")

    def take(self, start: int, stop: int, rows: Tensor) -> Tensor:
        """Return the images of a batch, when they are there.

        Raises:
            GanflowError: they cannot be read.
        """
        if start == stop:
            return torch.empty((0, *self.source.shape[1:]), dtype=torch.uint8, device=self.device)
        this = self._coming.pop((start, stop), None) or self._begin(start, stop)
        self._look_ahead(start, stop)
        images, places = this.images.result(), this.places.to(self.device, non_blocking=True)
        batch = images[: stop - start].index_select(0, places)
        if self._stream is None:
            self._buffers.append(images)
        else:  # made on the other stream, which shall not use this memory again before the batch is made
            images.record_stream(torch.cuda.current_stream(self.device))
        return batch

    def close(self) -> None:
        """Drop what is on its way, wait for the threads, and close the source."""
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._coming.clear()
        self._buffers.clear()
        self.source.close()

    def _look_ahead(self, start: int, stop: int) -> None:
        """Have the next batches read, and forget what was read on another guess."""
        if self._batch_size is None:
            return
        fit = self._ahead_bytes // ((stop - start) * self._image_bytes)
        steps = range(1, min(max(fit, 2), MOST_AHEAD) + 1)
        guess = [(start + step * self._batch_size, stop + step * self._batch_size) for step in steps]
        for wrong in self._coming.keys() - set(guess):
            self._coming.pop(wrong).images.cancel()
        for span in guess:
            if span not in self._coming:
                self._coming[span] = self._begin(*span)

    def _begin(self, start: int, stop: int) -> _Coming:
        rows = self._rows_of(start, stop)
        order = torch.argsort(rows)
        places = torch.argsort(order)
        if self.device.type == "cuda":  # so that they are copied without a wait
            places = places.pin_memory()
        return _Coming(self._readers.submit(self._read, rows[order].numpy()), places)

    def _read(self, rows: np.ndarray) -> Tensor:
        """On a thread: read rows into a buffer, and return it, or its copy on the GPU."""
        buffer = self._buffer(len(rows))
        self.source.read(rows, buffer[: len(rows)])
        if self._stream is None:
            return buffer
        arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._stream):
            images = torch.empty((len(rows), *self.source.shape[1:]), dtype=torch.uint8, device=self.device)
            images.copy_(buffer[: len(rows)], non_blocking=True)
            arrived.record(self._stream)
        arrived.synchronize()  # the buffer is free then, and who takes the images need not wait
        self._buffers.append(buffer)
        return images

    def _buffer(self, count: int) -> Tensor:
        """A buffer for so many images that nobody uses; pinned where a GPU copies from it."""
        try:
            found = self._buffers.popleft()
        except IndexError:
            found = None
        if found is not None and len(found) >= count:
            return found
        shape = (count, *self.source.shape[1:])
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
