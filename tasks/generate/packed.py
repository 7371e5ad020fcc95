"""A shard of a release as files, ready to be written: what a worker hands back."""

import hashlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

from gan.release.formats.table import format_named
from gan.release.recipe import Block, Drawn, Fingerprints, Recipe
from gan.release.rows import Rows

Counting = Callable[[str, int], Callable[[int], None]]
"""Called with what is done next, and how many images; returns what is called with how many are done."""
PUBLISHING = "publishing"


@dataclass(frozen=True)
class Packed:
    """A shard's files and facts.

    Attributes:
        index: of the shard.
        files: path below the release's folder, content, and its sha256.
        lines: what the format's index says of the images.
        digests: sha256 of each image's pixels.
        attempts: [n] int64, the attempt at which each row was kept.
        asked: images that were drawn for it, by label.
        rejected: of these, by reason and label.
        fingerprints: [n, ...]; None where nobody asks.
    """

    index: int
    files: list[tuple[str, bytes, str]]
    lines: bytes
    digests: list[bytes]
    attempts: Rows
    asked: dict[int, int]
    rejected: dict[str, dict[int, int]]
    fingerprints: Fingerprints | None


class Drawer(Protocol):
    """Draws blocks: `here` in this process, `in_processes` in several of this machine, `on_ray` on a cluster."""

    def draw(
        self, recipe: Recipe, blocks: Iterable[Block], on_rows: Callable[[int], None], rows: int
    ) -> Generator[Packed]:
        """Yield each block as it becomes a shard, in any order.

        Args:
            recipe: of the release.
            blocks: taken one after the other, no more ahead than memory has room for.
            on_rows: called with 0 when the drawing begins, and with how many more rows are drawn; from any thread.
            rows: how many the blocks have to draw, by which it is told what is worth starting for them.
        """


def packed(drawn: Drawn, recipe: Recipe) -> Packed:
    """Lay a shard into files and hash them."""
    form = format_named(recipe.format)
    return Packed(
        index=drawn.shard.index,
        files=[(path, data, hashlib.sha256(data).hexdigest()) for path, data in form.files(drawn.shard)],
        lines=form.index_lines(drawn.shard),
        digests=list(drawn.shard.digests),
        attempts=drawn.attempts,
        asked=drawn.asked,
        rejected=drawn.rejected,
        fingerprints=drawn.fingerprints,
    )
