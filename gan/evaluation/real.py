"""The real side: which images serve, and their features, computed once for each protocol."""

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gan.data.files.atomic import replacing
from gan.data.store.resident import Resident
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.extraction import Extraction, OnProgress
from gan.keyed_random import epoch_order
from gan.metrics.feature_set import KEPT, FeatureSet, collect
from gan.metrics.protocol import METRICS_VERSION

Rows = npt.NDArray[np.int64]
Features = npt.NDArray[np.float32]
PART = 64
"""Images whose features are kept as soon as they are there: seconds of work of a small machine."""


@dataclass(frozen=True, eq=False)
class RealImages:
    """A dataset as evaluation sees it.

    Attributes:
        version: the dataset's md5, or the digest of its pixels; names it in the protocol.
        splits: images and labels by the split's name: `train` and `test`, or `all`.
        class_names: by label; empty where there are none.
        sequence: names the images in their very order, in the cache; the version where that fixes the order.
    """

    version: str
    splits: dict[str, Resident]
    class_names: tuple[str, ...]
    sequence: str = ""


def chosen_rows(seed: int, size: int, count: int) -> Rows:
    """Return a keyed choice of `count` of `size` rows, [min(count, size)]; that of fewer rows begins it."""
    order: Rows = epoch_order(seed, 0, size).numpy()
    return order[:count]


class RealFeatures:
    """Features of real images, from the cache if the very same were made before.

    Args:
        real: the dataset.
        extraction: how features are made.
        cache_dir: where they are kept; safe to delete.
        seed: of the choice of images.
    """

    def __init__(self, real: RealImages, extraction: Extraction, cache_dir: Path, seed: int) -> None:
        self.real = real
        self.extraction = extraction
        self.folder = cache_dir / "features" / (real.sequence or real.version)
        self.seed = seed

    def rows(self, split: str, count: int) -> Rows:
        """The rows of a split that serve when `count` are wanted, in the order of their features."""
        return chosen_rows(self.seed, len(self.real.splits[split]), count)

    def missing(self, split: str, count: int) -> int:
        """How many images the network would have to see."""
        rows = self.rows(split, count)
        if self._stored(split, len(rows)):
            return 0
        parts = _parts(len(self._beginning(split, len(rows))), rows)
        return sum(len(part) for start, part in parts if not self._part_path(split, start, len(part)).exists())

    def of(self, split: str, count: int, on_progress: OnProgress) -> FeatureSet:
        """Return the features of at most `count` images of a split; a killed call goes on where it was."""
        rows = self.rows(split, count)
        if (found := self._stored(split, len(rows))) is not None:
            return found.head(len(rows))
        features = collect(self._pieces(split, rows, on_progress))
        self._keep(self.folder / self._name(split, len(rows)), features)
        shutil.rmtree(self._part_path(split, 0, 0).parent, ignore_errors=True)
        return features

    def set_of(self, split: str, count: int, on_progress: OnProgress) -> EvaluationSet:
        """Return at most `count` images of a split, with labels and features."""
        features = self.of(split, count, on_progress)
        rows, images = self.rows(split, count), self.real.splits[split]
        return EvaluationSet(images.images, rows, np.asarray(images.labels)[rows], features)

    def _pieces(self, split: str, rows: Rows, on_progress: OnProgress) -> Iterator[Features]:
        beginning = self._beginning(split, len(rows))
        if len(beginning):
            yield beginning
        made = 0  # those that are kept are not among the missing ones either
        for start, part in _parts(len(beginning), rows):

            def count(more: int, before: int = made) -> None:
                on_progress(before + more)

            path = self._part_path(split, start, len(part))
            piece = _loaded_part(path)
            if piece is None:
                piece = self._make_part(path, split, part, count)
                made += len(part)
            yield piece

    def _beginning(self, split: str, count: int) -> Features:
        """Features [n, D] of the first images, from the largest smaller set that is there; [0, 0] where none is.

        As many as make whole batches: so every image is in the batch that it would be in without them.
        """
        smaller = [path for path in self._stored_paths(split) if _count(path) < count]
        for path in reversed(smaller):
            if (found := _loaded(path)) is not None:
                batch = self.extraction.extractor.batch_size
                return found.features[: len(found.features) // batch * batch]
        return np.empty((0, 0), np.float32)

    def _name(self, split: str, count: int | str) -> str:
        extractor = self.extraction.extractor
        network = extractor.network
        facts = [split, count, extractor.resize, network.precision, self.seed, METRICS_VERSION, network.sha256[:16]]
        return "-".join(str(fact) for fact in facts)

    def _stored(self, split: str, count: int) -> FeatureSet | None:
        # those of more images begin with the features of fewer, as far as they are kept
        for path in self._stored_paths(split):
            enough = _count(path) == count or (_count(path) > count and count <= KEPT)
            if enough and (found := _loaded(path)) is not None:
                return found
        return None

    def _stored_paths(self, split: str) -> list[Path]:
        return sorted(self.folder.glob(self._name(split, "*")), key=_count)

    def _part_path(self, split: str, start: int, count: int) -> Path:
        return self.folder / f".{self._name(split, 'parts')}" / f"{start}-{count}.npy"

    def _make_part(self, path: Path, split: str, rows: Rows, on_progress: OnProgress) -> Features:
        made = self.extraction.of_images(self.real.splits[split].images, rows, on_progress).features
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft, draft.open("wb") as file:
            np.save(file, made, allow_pickle=False)
        return made

    def _keep(self, path: Path, features: FeatureSet) -> None:
        partial = path.with_name(f".{secrets.token_hex(8)}")
        partial.mkdir(parents=True)
        try:
            features.save(partial)
            if path.exists():  # broken, or another process was faster
                path.rename(partial.with_suffix(".old"))
            os.replace(partial, path)
        finally:
            for left in (partial, partial.with_suffix(".old")):
                shutil.rmtree(left, ignore_errors=True)


def _loaded_part(path: Path) -> Features | None:
    try:
        found: Features = np.load(path, allow_pickle=False)
    except Exception:  # on a damaged file numpy raises nearly any type
        return None
    return found if isinstance(found, np.ndarray) and found.ndim == 2 else None


def _loaded(path: Path) -> FeatureSet | None:
    try:
        return FeatureSet.load(path)
    except Exception:  # on a damaged file numpy raises nearly any type
        return None


def _parts(first: int, rows: Rows) -> Iterator[tuple[int, Rows]]:
    """Yield the rows from `first` on in parts, each with the place of its first."""
    for start in range(first, len(rows), PART):
        yield start, rows[start : start + PART]


def _count(entry: Path) -> int:
    return int(entry.name.split("-")[1])
