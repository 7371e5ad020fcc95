"""A release drawn in this process: a block is drawn while the one before it is packed and written."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from gan.generation.sampling import Program
from gan.release.blocks import Artist
from gan.release.recipe import Block, Drawn, Recipe
from tasks.generate.packed import Packed, packed


class Here:
    """Draws on one device of this machine, and encodes on its cores.

    Args:
        program: maps [n, 2] int64 to [n, H, W, C] uint8, on `device`.
        device: where the program is.
        threads: as of `Artist`.
    """

    def __init__(self, program: Program, device: torch.device | None = None, *, threads: int | None = None) -> None:
        self.program = program
        self.device = device
        self.threads = threads

    def draw(
        self, recipe: Recipe, blocks: Iterable[Block], on_rows: Callable[[int], None], rows: int
    ) -> Generator[Packed]:
        """As `Drawer.draw`, in order."""
        artist = Artist(self.program, recipe, device=self.device, threads=self.threads)
        with artist, ThreadPoolExecutor(1) as ahead:
            try:
                on_rows(0)
                before: Future[Drawn] | None = None
                for block in blocks:
                    drawing = ahead.submit(artist.draw, block, on_rows)
                    if before is not None:
                        yield packed(before.result(), recipe)
                    before = drawing
                if before is not None:
                    yield packed(before.result(), recipe)
            finally:
                artist.stop()
