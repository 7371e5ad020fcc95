"""Blocks of a release drawn by as many threads as there are: each row again and again until it is kept.

A row's image depends on the recipe and the row alone. Batches have one size, begin at multiples of it whatever shard a
row lies in, and are filled up; what is rejected is drawn again in batches of that size. On a CPU each thread passes
batches of its own, for threads that share one wait for each other at every layer, and may add up in another order.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from gan.device.allocator import keep_freed_memory
from gan.device.cores import cores
from gan.device.fp32 import full_fp32
from gan.device.memory import free_host_bytes
from gan.device.process_setting import ProcessSetting
from gan.generation.sampling import Program
from gan.release.batches import Batch, Keeper, Made
from gan.release.formats.table import format_named
from gan.release.recipe import Block, Drawn, Recipe
from gan.release.shard import Format, Images, pixel_digests

OnRows = Callable[[int], None]
_FEW = 8  # images that are looked at and encoded for a measurement
_BYTES_PER_PIXEL = 1024  # of activations in a pass: 256 channels in float32 at the full size


class Artist:
    """Draws blocks of one recipe with one program; a context, whose threads end with it.

    Args:
        program: maps [n, 2] int64 to [n, H, W, C] uint8, on `device`.
        recipe: of the release.
        device: where the program is; the CPU if not given.
        threads: that draw and encode; None: as many as this process has cores, and memory for.
    """

    def __init__(
        self, program: Program, recipe: Recipe, *, device: torch.device | None = None, threads: int | None = None
    ) -> None:
        self.program = program
        self.recipe = recipe
        self.device = device or torch.device("cpu")
        self.threads = threads or cores()
        self.format: Format = format_named(recipe.format)
        self.look = recipe.selection.make_look() if recipe.selection.make_look else None
        self._places = ExitStack()

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of an image."""
        height, width, channels = self._paint(torch.zeros(1, 2, dtype=torch.int64)).shape[1:]
        return height, width, channels

    def seconds_of_batch(self) -> float:
        """Return for how many seconds a batch keeps one core busy, images of the first class."""
        labels = np.full(self.recipe.batch_size, 0 if self.recipe.class_names else -1)
        (batch,) = Keeper(self.recipe, Block.fresh(0, 0, labels)).batches()
        few = replace(batch, slots=batch.slots[:_FEW], labels=batch.labels[:_FEW])
        threads, ends = torch.get_num_threads(), [0.0, 0.0, 0.0]
        torch.set_num_threads(1)
        try:
            for _ in range(2):  # the first time everything prepares itself
                ends[0] = time.thread_time()
                painted = self._paint(batch.rows)
                ends[1] = time.thread_time()
                self._finished(few, painted)  # a look may take a tenth of a second an image
                ends[2] = time.thread_time()
        finally:
            torch.set_num_threads(threads)
        return ends[1] - ends[0] + (ends[2] - ends[1]) * len(labels) / len(few.slots)

    def __enter__(self) -> Self:
        """Start the threads."""
        if self.device.type == "cpu":  # before anything is set: this draws an image, for which memory may not do
            keep_freed_memory()
            each = drawing_bytes(self.recipe, self.shape)
            self.threads = max(1, min(self.threads, free_host_bytes() // 2 // each))
        self._places.enter_context(_same_sums())
        # NumPy's products would wake a thread for each core in each of our threads: drawing took a quarter longer
        self._places.enter_context(_ONE_BLAS_THREAD())
        self._pool = ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,))
        self._places.callback(self._pool.shutdown, cancel_futures=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End them."""
        self._places.close()

    def stop(self) -> None:
        """Have a `draw` in another thread fail soon, for nobody wants its block any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def draw(self, block: Block, on_rows: OnRows = lambda count: None) -> Drawn:
        """Draw a block until each of its rows is kept.

        Args:
            block: the rows.
            on_rows: called with how many more rows are kept, each time that some are.

        Raises:
            ReleaseError: a row was rejected as often as the recipe allows.
        """
        keeper = Keeper(self.recipe, block)
        while batches := keeper.batches():
            for made in self._passed(batches):
                on_rows(keeper.take(made, self.look.reasons if self.look else ()))
        return keeper.drawn(self.shape)

    def _passed(self, batches: list[Batch]) -> Iterator[Made]:
        """Pass batches through the program, in their order."""
        running: deque[Future[Made]] = deque()
        try:
            for batch in batches:
                if self.device.type == "cpu":
                    running.append(self._pool.submit(self._made, batch))
                else:  # it goes on with the next while the pool takes what it has made
                    running.append(self._pool.submit(self._finished, batch, self._paint(batch.rows)))
                if len(running) > 2 * self.threads:  # some wait, so that no thread does
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()

    def _made(self, batch: Batch) -> Made:
        return self._finished(batch, self._paint(batch.rows))

    @torch.no_grad()
    def _paint(self, rows: torch.Tensor) -> torch.Tensor:
        return self.program(rows.to(self.device))

    def _finished(self, batch: Batch, painted: torch.Tensor) -> Made:
        images: Images = painted.cpu().numpy()[batch.slots]
        verdicts = self.look(images, batch.labels) if self.look else np.zeros(len(images), np.int64)
        kept = np.flatnonzero(verdicts == 0)
        if not len(kept):
            return Made(batch, verdicts, [], [], None)
        images = np.ascontiguousarray(images[kept])
        return Made(
            batch,
            verdicts,
            self.format.payloads(images, self.recipe.marks),
            pixel_digests(images),
            fingerprint(images) if (fingerprint := self.recipe.selection.fingerprint) else None,
        )


def drawing_bytes(recipe: Recipe, shape: tuple[int, int, int]) -> int:
    """Return about how many bytes a pass takes on a CPU while it makes images of that (H, W, C)."""
    return recipe.batch_size * shape[0] * shape[1] * _BYTES_PER_PIXEL


_ONE_BLAS_THREAD = ProcessSetting(
    lambda: threadpool_limits(1, user_api="blas"), threadpool_limits.restore_original_limits
)


@contextmanager
def _same_sums() -> Iterator[None]:
    """Have every machine add up in the same order and with the same digits, as far as it can."""
    threads = torch.get_num_threads()
    try:
        with full_fp32():  # TensorFloat-32 would make other images on a GPU than on a CPU
            yield
    finally:
        torch.set_num_threads(threads)  # what a thread sets is in part set for all
