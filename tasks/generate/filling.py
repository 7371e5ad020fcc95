"""A partial release filled: missing blocks drawn, duplicates drawn again, and what all shards share written."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from threading import Lock

import numpy as np

from gan.data.files.atomic import replacing, write_whole
from gan.data.files.digest import file_sha256
from gan.data.pixels.png import with_chunks
from gan.errors import ReleaseError
from gan.generation.grids import COLUMNS, ROWS, class_grid_png
from gan.release.formats.table import format_named
from gan.release.recipe import Block, Drawn, Recipe
from gan.release.rows import Rows, row_seeds
from gan.release.shard import Images, Shard, pixel_digests
from tasks.generate.packed import Counting, Drawer
from tasks.generate.partial import Partial, ShardRecord

AGAIN = "drawing repeats again"
_MANY, _LEFT = 50, 5.0
"""Repeats, of which the share that repeats again says how many will be left: of fewer it says too little, and where
five are to be expected there is none less than once in a hundred times."""


class Filling:
    """Fills the partial folder of a release.

    Args:
        partial: the folder.
        recipe: of the release.
        shape: (H, W, C) of an image.
        labels: [N] int64 of all rows.
        starts: the first row of each shard, and N.
        drawer: draws the blocks.
        counting: called with what is drawn again, and how many images; returns what counts them.
    """

    def __init__(
        self,
        partial: Partial,
        recipe: Recipe,
        shape: tuple[int, int, int],
        labels: Rows,
        starts: Sequence[int],
        drawer: Drawer,
        counting: Counting = lambda what, total: lambda done: None,
    ) -> None:
        self.partial = partial
        self.recipe = recipe
        self.shape = shape
        self.labels = labels
        self.starts = starts
        self.drawer = drawer
        self.counting = counting
        self.form = format_named(recipe.format)

    @property
    def records(self) -> list[ShardRecord]:
        """Those of all shards, in order."""
        return [self.partial.shards[index] for index in range(self.recipe.shards)]

    @property
    def exact_copies(self) -> int:
        """Images that equal a training image."""
        return sum(record.copies for record in self.records)

    def draw(self, training_digests: Collection[str], on_progress: Callable[[int], None]) -> None:
        """Draw what is missing, and again what is a duplicate, until nothing is.

        Args:
            training_digests: sha256 of each training image's pixels.
            on_progress: called with the rows that are there.

        Raises:
            ReleaseError: a quota cannot be met, or images that are drawn anew repeat others all the same.
        """
        there = self.partial.shards
        counter = _Counter(sum(len(record.attempts) for record in there.values()), on_progress)
        missing = [index for index in range(self.recipe.shards) if index not in there]
        fresh = (Block.fresh(index, self.starts[index], self.labels[self._slice(index)]) for index in missing)
        if missing:
            count = sum(self.starts[index + 1] - self.starts[index] for index in missing)
            self._draw(fresh, count, training_digests, counter.add)
        else:
            counter.add(0)
        if self.recipe.selection.duplicates is None:
            return
        while True:
            for each in self.partial.redrawn:
                self._redraw(each, training_digests)
            if not len(rows := self._repeats()):
                return
            self._require_fewer(rows)
            attempts = np.concatenate([record.attempts for record in self.records])
            # Written down first: a kill amid it must not change which rows were meant.
            self.partial.redrawn = [*self.partial.redrawn, [(int(row), int(attempts[row])) for row in rows]]

    def _require_fewer(self, rows: Sequence[int]) -> None:
        """Give up where drawing anew helps so little that all attempts would not do: they would take hours to say it.

        Those that are left are no easier than those that are not, so that their share does not fall.

        Raises:
            ReleaseError: it helps so little.
        """
        before = len(self.partial.redrawn[-1]) if self.partial.redrawn else 0
        attempts = self.recipe.max_attempts - len(self.partial.redrawn)
        if len(rows) < _MANY or not before or len(rows) * (len(rows) / before) ** attempts < _LEFT:
            return
        labels, counts = np.unique(self.labels[np.asarray(rows)], return_counts=True)
        most = self.recipe.class_name(int(labels[counts.argmax()]))
        where = f", most of class «{most}»" if self.recipe.class_names else ""
        raise ReleaseError(
            f"of {before:,} images that repeat others, {len(rows):,} still do now that they were drawn anew{where}: "
            f"the generator varies too little for {len(self.labels):,} images, so train it for longer or on more "
            "images, ask for fewer, or allow repeats with release.reject_duplicates=false"
        )

    def _repeats(self) -> Sequence[int]:
        assert self.recipe.selection.duplicates is not None
        # by what is written down, so that a command that was killed looks for what one that was not does
        again = [np.array(sorted(row for row, _ in each), np.int64) for each in self.partial.redrawn[-1:]]
        with self.partial.fingerprints(self.recipe.shards) as fingerprints:
            return self.recipe.selection.duplicates(fingerprints, again[0] if again else None)

    def finish(self, card: str) -> dict[str, str]:
        """Write index, samples and card; return the sha256 of every file by its path.

        Args:
            card: Markdown.
        """
        folder = self.partial.files
        files = {path: sha256 for record in self.records for path, sha256 in record.files.items()}
        if self.form.INDEX_FILE:
            path = folder / self.form.INDEX_FILE
            with replacing(path) as draft, draft.open("wb") as file:
                file.write(self.form.INDEX_HEADER)
                for index in range(self.recipe.shards):
                    file.write(self.partial.lines(index))
            files[self.form.INDEX_FILE] = file_sha256(path)
        rows = _sample_rows(self.labels)
        grid = class_grid_png(self.images(rows), self.labels[rows])
        write_whole(folder / "samples.png", with_chunks(grid, self.recipe.marks.chunks))
        write_whole(folder / "README.md", card)
        files |= {name: file_sha256(folder / name) for name in ("samples.png", "README.md")}
        return dict(sorted(files.items()))

    def _draw(
        self,
        blocks: Iterable[Block],
        rows: int,
        training_digests: Collection[str],
        on_rows: Callable[[int], None],
        on_shard: Callable[[int], None] = lambda index: None,
    ) -> None:
        with closing(self.drawer.draw(self.recipe, blocks, on_rows, rows)) as parcels:
            for packed in parcels:
                self.partial.keep(packed, sum(digest.hex() in training_digests for digest in packed.digests))
                on_shard(packed.index)

    def _redraw(self, rows: Sequence[tuple[int, int]], training_digests: Collection[str]) -> None:
        """Draw rows again where they still are at the attempt that is not to be taken."""
        found: dict[int, list[int]] = {}
        for row, attempt in rows:
            index = int(np.searchsorted(self.starts, row, side="right")) - 1
            if self.partial.shards[index].attempts[row - self.starts[index]] == attempt:
                found.setdefault(index, []).append(row - self.starts[index])
        if found:
            # most of the time goes into what lies beside them in their shards
            sizes = {index: len(self.partial.shards[index].attempts) for index in found}
            counter = _Counter(0, self.counting(AGAIN, sum(sizes.values())))
            count, blocks = sum(map(len, found.values())), self._again(found)
            counter.add(0)
            self._draw(blocks, count, training_digests, lambda count: None, lambda index: counter.add(sizes[index]))

    def _again(self, found: dict[int, list[int]]) -> Iterator[Block]:
        for index, places in sorted(found.items()):
            yield Block.again(self.starts[index], self._drawn(index), np.array(sorted(places), np.int64))

    def _drawn(self, index: int) -> Drawn:
        """Take a shard from the disk as it was when it was drawn."""
        record, recipe = self.partial.shards[index], self.recipe
        payloads = list(self.form.stored(self.partial.files, record.files))
        rows = np.arange(self.starts[index], self.starts[index + 1])
        shard = Shard(
            index=index,
            count=recipe.shards,
            shape=self.shape,
            class_names=recipe.class_names,
            payloads=payloads,
            digests=pixel_digests(self.form.pixels(payload, self.shape) for payload in payloads),
            seeds=row_seeds(recipe.first_seed, recipe.num_images, rows, record.attempts),
            labels=self.labels[self._slice(index)],
            marks=recipe.marks,
        )
        return Drawn(shard, record.attempts, record.asked, record.rejected, record.fingerprints)

    def images(self, rows: Rows) -> Images:
        """Decode single rows [n] int64 to [n, H, W, C] uint8, in that order."""
        found = {}
        for index in np.unique(np.searchsorted(self.starts, rows, side="right") - 1).tolist():
            wanted = set(rows.tolist())
            stored = self.form.stored(self.partial.files, self.partial.shards[index].files)
            for row, payload in enumerate(stored, self.starts[index]):
                if row in wanted:
                    found[row] = self.form.pixels(payload, self.shape)
        return np.stack([found[row] for row in rows.tolist()])

    def _slice(self, index: int) -> slice:
        return slice(self.starts[index], self.starts[index + 1])


class _Counter:
    """Adds up rows from several threads."""

    def __init__(self, done: int, show: Callable[[int], None]) -> None:
        self.done = done
        self.show = show
        self._lock = Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.done += count
            self.show(self.done)


def _sample_rows(labels: Rows) -> Rows:
    """The first rows of each of the first classes, as many as the picture has room for."""
    present = np.unique(labels)[:ROWS]
    if len(present) == 1:
        return np.arange(min(len(labels), ROWS * COLUMNS))
    return np.concatenate([np.flatnonzero(labels == label)[:COLUMNS] for label in present])
