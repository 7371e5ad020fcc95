"""The score that watches a training run: KID of one checkpoint after another, all under the same conditions."""

from functools import cached_property

import numpy as np

from gan.evaluation.real import RealFeatures
from gan.evaluation.scores import kid_metric, require_enough
from gan.metrics.evaluation import Metric
from gan.metrics.feature_set import FeatureSet
from gan.metrics.kid import kid
from gan.sampling import Program

SPLIT = "train"


class Watch:
    """Scores programs on the same seeds, labels and training images, so that their scores can be compared.

    The seeds lie below zero, where no evaluation draws: the images by which a checkpoint is picked are not those by
    which it is judged.

    Args:
        features: of the dataset, with the network that makes them; computed at the first score unless cached.
        count: generated images, and at most as many training images.

    Raises:
        InputError: either would be fewer than 4 images.
    """

    def __init__(self, features: RealFeatures, count: int) -> None:
        rows = features.rows(SPLIT, count)
        require_enough(count, len(rows))
        self.features = features
        self.count = count
        self.seeds = np.arange(-count, 0, dtype=np.int64)
        self.labels = np.resize(np.asarray(features.real.splits[SPLIT].labels)[rows], count)

    def score(self, program: Program) -> Metric:
        """Return KID with its interval.

        Args:
            program: maps rows (seed, label) [n, 2] int64 to images [n, H, W, C] uint8.
        """
        generated, _ = self.features.extraction.of_program(program, self.seeds, self.labels, lambda done: None)
        return kid_metric(kid(generated.features, self._real.features))

    @cached_property
    def _real(self) -> FeatureSet:
        return self.features.of(SPLIT, self.count, lambda done: None)
