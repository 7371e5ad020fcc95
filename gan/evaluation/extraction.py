"""Where features come from: images that lie somewhere, or a program that draws them."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gan.generation.sampling import Program, draw
from gan.metrics.feature_set import KEPT, FeatureSet, collect
from gan.metrics.features import FeatureExtractor

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]
OnProgress = Callable[[int], None]

READ_AHEAD = 256
KEPT_BYTES = 2**30
"""Of generated images that are kept for what looks at pixels."""


class Extraction(Protocol):
    """One pass of a network over many images; `tasks/evaluate/on_ray.py` does it on several machines."""

    extractor: FeatureExtractor

    def of_images(self, images: Images, rows: Rows, on_progress: OnProgress) -> FeatureSet:
        """Return the features of images[rows], in that order."""

    def of_program(
        self, program: Program, seeds: Rows, labels: Rows, on_progress: OnProgress
    ) -> tuple[FeatureSet, Images]:
        """Return the features of all images that a program draws, and the first of these images."""


class LocalExtraction:
    """The pass in this process.

    Args:
        extractor: network and resize.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self.extractor = extractor

    def of_images(self, images: Images, rows: Rows, on_progress: OnProgress) -> FeatureSet:
        """As `Extraction.of_images`."""
        parts = (np.asarray(images[part]) for part in np.split(rows, range(READ_AHEAD, len(rows), READ_AHEAD)))
        return collect(self.extractor.pieces(parts, len(rows)), on_progress)

    def of_program(
        self, program: Program, seeds: Rows, labels: Rows, on_progress: OnProgress
    ) -> tuple[FeatureSet, Images]:
        """As `Extraction.of_program`."""
        kept: list[Images] = []
        batches = keep_first(draw(program, seeds, labels), kept)
        return collect(self.extractor.pieces(batches, len(seeds)), on_progress), np.concatenate(kept)


def keep_first(batches: Iterator[Images], kept: list[Images]) -> Iterator[Images]:
    """Hand batches on, and put the first into `kept`: as many as features are kept of, in 1 GiB at most."""
    count = 0
    for batch in batches:
        most = min(KEPT, KEPT_BYTES // max(1, batch[0].nbytes))
        if count < most:
            kept.append(batch[: most - count])
            count += len(kept[-1])
        yield batch
