"""A process of `tasks.generate.in_processes`: it loads the program, then draws the blocks that come, until none do."""

from typing import Any

import torch

from gan.device.child import Tell, serve
from gan.errors import GanflowError
from gan.generation.program_file import load_program_bytes
from gan.release.blocks import Artist
from gan.release.recipe import Block, Recipe
from tasks.generate.packed import Packed, packed


def main() -> None:
    """Draw until there are no more blocks."""
    torch.set_num_threads(1)
    serve(_Painter(), (GanflowError, RuntimeError))


class _Painter:
    """Takes the program's file with the recipe, and from then on blocks."""

    def __init__(self) -> None:
        self.artist: Artist | None = None

    def __call__(self, job: Any, tell: Tell) -> Packed | None:
        """Draw a block, and tell how many rows are drawn whenever some are."""
        if self.artist is None:
            content, recipe = job
            assert isinstance(recipe, Recipe)
            program = load_program_bytes(content, "the program", precision=recipe.precision)
            self.artist = Artist(program, recipe, threads=1).__enter__()
            return None
        assert isinstance(job, Block)
        return packed(self.artist.draw(job, tell), self.artist.recipe)


if __name__ == "__main__":
    main()
