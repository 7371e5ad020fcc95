"""In which order each pass over a dataset takes its rows."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.keyed_random import epoch_order


@dataclass(frozen=True)
class _Order:
    """A permutation [n] int64 of the rows, on the CPU and where batches are made."""

    host: Tensor
    device: Tensor


class EpochOrders:
    """Rows of global image indices: each pass over the dataset is a new keyed permutation.

    That of the next pass is made on a thread while this one is used: of a million rows it takes a second.

    Args:
        seed: the run's seed.
        size: rows of the dataset, n.
        device: where batches are made.
    """

    def __init__(self, seed: int, size: int, device: torch.device) -> None:
        self.seed, self.size, self.device = seed, size, device
        self._orders: dict[int, Future[_Order]] = {}
        self._maker = ThreadPoolExecutor(1, "epoch-order")

    def close(self) -> None:
        """End the thread."""
        self._maker.shutdown(wait=True, cancel_futures=True)

    def on_host(self, start: int, stop: int) -> Tensor:
        """Return the rows [stop - start] int64 of global image indices start to stop - 1, on the CPU."""
        return self._rows(start, stop, "host")

    def on_device(self, start: int, stop: int) -> Tensor:
        """As `on_host`, where batches are made: nothing is copied there for a batch."""
        return self._rows(start, stop, "device")

    def _rows(self, start: int, stop: int, where: str) -> Tensor:
        size = self.size
        epochs = range(start // size, -(-stop // size))
        orders = self._of(epochs)
        pieces = [
            getattr(order, where)[max(start - epoch * size, 0) : stop - epoch * size]
            for epoch, order in zip(epochs, orders, strict=True)
        ]
        if not pieces:
            return torch.empty(0, dtype=torch.int64, device=self.device if where == "device" else "cpu")
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _of(self, epochs: range) -> list[_Order]:
        wanted = range(epochs.start, epochs.stop + 1)  # and the next one
        if new := [epoch for epoch in wanted if epoch not in self._orders]:
            near = range(epochs.start - 1, epochs.stop + 2)  # what is read ahead may be of another pass already
            self._orders = {epoch: order for epoch, order in self._orders.items() if epoch in near}
            self._orders |= {epoch: self._maker.submit(self._make, epoch) for epoch in new}
        return [self._orders[epoch].result() for epoch in epochs]

    def _make(self, epoch: int) -> _Order:
        order = epoch_order(self.seed, epoch, self.size)
        if self.device.type != "cpu":
            order = order.pin_memory()  # else the copy would wait for all that the GPU was given before
        return _Order(order, order.to(self.device, non_blocking=True))
