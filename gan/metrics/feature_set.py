"""The features of one set of images: moments of all, and as many rows as the other metrics need."""

import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gan.metrics.frechet import Moments

KEPT = 50_000
"""Rows that are kept: 400 MB of Inception's. FID counts every image; the other metrics look at these, its first."""


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """What one pass of the network leaves of a set of images, in an order that is random but fixed.

    Attributes:
        features: [min(N, KEPT), D] float32, those of the first images.
        moments: of all N images.
    """

    features: npt.NDArray[np.float32]
    moments: Moments

    def __len__(self) -> int:
        """Return N."""
        return self.moments.count

    def head(self, count: int) -> "FeatureSet":
        """Return the features of the first `count` images alone; `count` is N, or at most `KEPT`."""
        if count == len(self):
            return self
        if count > len(self.features):
            raise ValueError(f"the first {count} of {len(self)} features are not kept, only {len(self.features)}")
        return collect([self.features[:count]])

    def save(self, folder: Path) -> None:
        """Write into an existing folder of its own."""
        np.save(folder / "features.npy", self.features, allow_pickle=False)
        np.savez(folder / "moments.npz", allow_pickle=False, **self.moments.state())

    @classmethod
    def load(cls, folder: Path) -> "FeatureSet":
        """Map what `save` wrote.

        Raises:
            OSError: a file is missing.
            ValueError: a file is cut short, or is not what `save` writes.
        """
        features = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
        try:
            with np.load(folder / "moments.npz", allow_pickle=False) as stored:
                moments = Moments.from_state(stored)
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
            raise ValueError(f"{folder} holds no moments ({error})") from None
        if features.shape != (min(moments.count, KEPT), len(moments.mean)):
            raise ValueError(f"{folder} holds {len(features)} features of {moments.count}")
        return cls(features, moments)


def collect(pieces: Iterable[npt.NDArray[np.float32]], on_progress: Callable[[int], None] | None = None) -> FeatureSet:
    """Take features as they come; memory does not grow behind the first `KEPT`.

    Args:
        pieces: arrays [n, D] float32.
        on_progress: called after each with the rows so far.

    Raises:
        ValueError: nothing came.
    """
    moments: Moments | None = None
    kept: list[npt.NDArray[np.float32]] = []
    for piece in pieces:
        moments = moments or Moments(piece.shape[1])
        if moments.count < KEPT:
            kept.append(piece[: KEPT - moments.count])
        moments.update(piece)
        if on_progress is not None:
            on_progress(moments.count)
    if moments is None:
        raise ValueError("no features came")
    return FeatureSet(np.concatenate(kept), moments)
