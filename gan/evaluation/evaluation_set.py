"""A set of images in an evaluation: the images, and their features in an order of their own."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.metrics.feature_set import FeatureSet

Images = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Images that are judged, or that others are compared with.

    Attributes:
        images: [M, H, W, C] uint8, possibly mapped from a file.
        rows: [N] int64, which image each feature is of; rows from M up are of images that were not kept.
        labels: [N] int64, the class of each feature's image, -1 for none.
        features: of N images.
    """

    images: Images
    rows: Rows
    labels: Rows
    features: FeatureSet

    def __len__(self) -> int:
        """Return N."""
        return len(self.features)

    def head(self, count: int) -> "EvaluationSet":
        """Return the first `count`."""
        return EvaluationSet(self.images, self.rows[:count], self.labels[:count], self.features.head(count))

    def kept(self, most_bytes: int) -> Rows:
        """Return the first rows whose images are there and fit into that much memory."""
        most = most_bytes // max(1, int(np.prod(self.images.shape[1:])))
        return self.rows[self.rows < len(self.images)][:most]

    def image(self, index: int) -> Images:
        """Return the image [H, W, C] uint8 of a feature."""
        return np.asarray(self.images[self.rows[index]])

    def of_class(self, label: int | None, most: int) -> Images:
        """Return the first images [n, H, W, C] uint8 of a class, or of all with None, in the order of the features."""
        there = self.rows < len(self.images)
        found = np.flatnonzero(there if label is None else there & (self.labels == label))[:most]
        return np.asarray(self.images[self.rows[found]])
