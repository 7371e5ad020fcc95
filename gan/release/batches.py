"""The batches in which a block's rows are drawn, and what has been kept of them so far."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gan.errors import ReleaseError
from gan.release.recipe import Block, Drawn, Fingerprints, Recipe
from gan.release.rows import Rows, row_seeds
from gan.release.shard import Shard

DUPLICATE = "duplicate"
"""The reason for which a row is drawn again whose block was drawn before."""


@dataclass(frozen=True)
class Batch:
    """A call of the program.

    Attributes:
        rows: [batch_size, 2] int64 (seed, label), the places that nobody needs filled with a pair that somebody does.
        slots: [n] int64, the places that somebody needs.
        places: [n] int64, which rows of the block they are.
        seeds: [n] int64.
        labels: [n] int64.
    """

    rows: torch.Tensor
    slots: Rows
    places: Rows
    seeds: Rows
    labels: Rows


@dataclass(frozen=True)
class Made:
    """What a batch became.

    Attributes:
        batch: of n images.
        verdicts: [n] int64, 0 for those that are kept.
        payloads: of the k that are kept.
        digests: the same.
        fingerprints: [k, ...] the same; None where nobody asks.
    """

    batch: Batch
    verdicts: Rows
    payloads: Sequence[bytes]
    digests: Sequence[bytes]
    fingerprints: Fingerprints | None


class Keeper:
    """Keeps what is made of a block, and says what is still to be drawn.

    Args:
        recipe: of the release.
        block: its rows.
    """

    def __init__(self, recipe: Recipe, block: Block) -> None:
        self.recipe = recipe
        self.block = block
        self.attempts = block.attempts.copy()
        self.pending = block.pending
        self._is_first = block.earlier is None
        count = len(block.labels)
        earlier = block.earlier
        self._payloads = list(earlier.shard.payloads) if earlier else [b""] * count
        self._digests = list(earlier.shard.digests) if earlier else [b""] * count
        self._prints = earlier.fingerprints.copy() if earlier and earlier.fingerprints is not None else None
        self._asked = Counter(earlier.asked if earlier else {})
        self._rejected: dict[str, Counter[int]] = {}
        for reason, labels in (earlier.rejected if earlier else {}).items():
            self._rejected[reason] = Counter(labels)
        if earlier:
            self._rejected.setdefault(DUPLICATE, Counter()).update(block.labels[block.pending].tolist())

    def batches(self) -> list[Batch]:
        """Return the batches of the rows that are pending, which then no longer are.

        At the first attempt a row has the place in its batch that it has in the release; later they are put together.

        Raises:
            ReleaseError: one of them was drawn as often as the recipe allows.
        """
        self._require_attempts()
        pending, size = self.pending, self.recipe.batch_size
        self.pending = pending[:0]
        numbers = self.block.start + pending if self._is_first else np.arange(len(pending))
        self._is_first = False
        cuts = np.flatnonzero(np.diff(numbers // size)) + 1
        parts = zip(np.split(pending, cuts), np.split(numbers % size, cuts), strict=True)
        return [self._batch(places, slots) for places, slots in parts if len(places)]

    def _batch(self, places: Rows, slots: Rows) -> Batch:
        recipe = self.recipe
        labels = self.block.labels[places]
        seeds = row_seeds(recipe.first_seed, recipe.num_images, self.block.start + places, self.attempts[places])
        rows = np.empty((recipe.batch_size, 2), np.int64)
        rows[:] = seeds[0], labels[0]
        rows[slots] = np.stack([seeds, labels], axis=1)
        return Batch(torch.from_numpy(rows), slots, places, seeds, labels)

    def take(self, made: Made, reasons: Sequence[str]) -> int:
        """Keep what a batch became; return how many images that are.

        Args:
            made: of one of `batches`.
            reasons: what verdicts stand for.
        """
        places, labels = made.batch.places, made.batch.labels
        self._asked.update(labels.tolist())
        kept = places[made.verdicts == 0]
        for place, payload, digest in zip(kept.tolist(), made.payloads, made.digests, strict=True):
            self._payloads[place], self._digests[place] = payload, digest
        if made.fingerprints is not None:
            if self._prints is None:
                found = made.fingerprints
                self._prints = np.zeros((len(self.attempts), *found.shape[1:]), found.dtype)
            self._prints[kept] = made.fingerprints
        for verdict in np.unique(made.verdicts[made.verdicts != 0]).tolist():
            by_label = self._rejected.setdefault(reasons[verdict - 1], Counter())
            by_label.update(labels[made.verdicts == verdict].tolist())
        again = places[made.verdicts != 0]
        self.attempts[again] += 1
        self.pending = np.concatenate([self.pending, again])
        return len(kept)

    def drawn(self, shape: tuple[int, int, int]) -> Drawn:
        """Return the block, of which nothing is pending, as a shard of images of that (H, W, C)."""
        recipe, block = self.recipe, self.block
        assert not len(self.pending)
        rows = block.start + np.arange(len(block.labels))
        shard = Shard(
            index=block.index,
            count=recipe.shards,
            shape=shape,
            class_names=recipe.class_names,
            payloads=self._payloads,
            digests=self._digests,
            seeds=row_seeds(recipe.first_seed, recipe.num_images, rows, self.attempts),
            labels=block.labels,
            marks=recipe.marks,
        )
        rejected = {reason: dict(sorted(labels.items())) for reason, labels in sorted(self._rejected.items())}
        return Drawn(shard, self.attempts, dict(sorted(self._asked.items())), rejected, self._prints)

    def _require_attempts(self) -> None:
        tired = self.pending[self.attempts[self.pending] >= self.recipe.max_attempts]
        if not len(tired):
            return
        label = int(self.block.labels[tired[0]])
        counts = {reason: by_label[label] for reason, by_label in self._rejected.items()}
        why = f", mostly as {max(counts, key=lambda reason: counts[reason])}" if counts else ""
        raise ReleaseError(
            f"an image of class «{self.recipe.class_name(label)}» was rejected {self.recipe.max_attempts} times{why}: "
            "select less strictly, ask for fewer images of that class, or raise release.max_attempts"
        )
