"""Where the time of each worker goes between two marks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gan.training.context import TrainContext

SHARES = ("all_reduce", "feed", "checkpoint")
MOST_WORKERS = 16
"""Each has a speed of its own in the records; of more, the slowest alone."""


class Timing:
    """Counts what a worker's time goes into. On a GPU, which is given work and not waited for, shares are the host's.

    Args:
        context: this worker's place in the run.
    """

    def __init__(self, context: TrainContext) -> None:
        self.context = context
        self._seconds: dict[str, float] = {}
        self._begin()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block's time for one of `SHARES`."""
        began = time.perf_counter()
        yield
        self._seconds[name] += time.perf_counter() - began

    def flush(self, images: int) -> dict[str, float]:
        """Return what the time since the last flush went into; every rank must call it.

        Args:
            images: of this worker in that time.

        Returns:
            `feed_share`, `checkpoint_share` and, of several workers, `all_reduce_share`: means over workers, in [0, 1];
            `cpu_cores`: processor cores that all workers together kept busy; `gpu_memory_share`: the most of a GPU's
            memory that a worker took; `worker_<rank>_images_per_second`: the speed of its own part of the batches that
            each of several workers has while it waits for no other.
        """
        context = self.context
        passed = time.perf_counter() - self._since
        waited = context.reduce_seconds - self._reduced
        shares = [waited / passed, *(self._seconds[name] / passed for name in SHARES[1:])]
        cores = (time.process_time() - self._cpu_since) / passed
        alone = images / max(passed - waited, 1e-9)
        table = torch.zeros(context.world_size, len(shares) + 3, dtype=torch.float64, device=context.device)
        own = [*shares, cores, _gpu_memory_share(context.device), alone]
        table[context.rank] = torch.tensor(own, dtype=torch.float64, device=context.device)
        context.all_reduce(table)
        self._begin()
        *of_shares, of_cores, of_memory, speeds = table.T.tolist()
        found = {f"{name}_share": sum(each) / len(each) for name, each in zip(SHARES, of_shares, strict=True)}
        found["cpu_cores"] = sum(of_cores)
        if context.device.type == "cuda":
            found["gpu_memory_share"] = max(of_memory)
        if context.world_size == 1:
            del found["all_reduce_share"]
            return found
        return found | _by_worker(speeds)

    def _begin(self) -> None:
        self._seconds = dict.fromkeys(SHARES[1:], 0.0)
        self._since, self._cpu_since = time.perf_counter(), time.process_time()
        self._reduced = self.context.reduce_seconds
        if self.context.device.type == "cuda":  # what the start-up probe took is not the training's
            torch.cuda.reset_peak_memory_stats(self.context.device)


def _by_worker(speeds: list[float]) -> dict[str, float]:
    if len(speeds) > MOST_WORKERS:
        return {"slowest_worker_images_per_second": min(speeds), "slowest_worker": float(speeds.index(min(speeds)))}
    return {f"worker_{rank}_images_per_second": speed for rank, speed in enumerate(speeds)}


def _gpu_memory_share(device: torch.device) -> float:
    if device.type != "cuda":
        return 0.0
    return torch.cuda.max_memory_allocated(device) / torch.cuda.get_device_properties(device).total_memory
