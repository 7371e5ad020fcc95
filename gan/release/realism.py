"""Images that lie outside what real images are like: rejected where somebody asks for it, at a cost in variety."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan.metrics.features import FeatureExtractor
from gan.metrics.neighbours import nearest
from gan.release.selection import Images, Labels, Verdicts

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]

UNREALISTIC = "unlike real images"
_ROWS = 1024


@dataclass(frozen=True, eq=False)
class RealManifold:
    """Real images as balls that reach to the k-th neighbour, of which the larger half is left out.

    Attributes:
        centres: [M, D] float64, less their mean.
        radii: [M] float64, above 0.
        mean: [D] float64, of all centres.
        device: where distances are taken.
    """

    centres: Array
    radii: Array
    mean: Array
    device: str | torch.device = "cpu"

    @classmethod
    def of(cls, real: Features, *, k: int = 3, device: str | torch.device = "cpu") -> Self:
        """Make it of features [N, D] of real images.

        The larger half of the balls is left out, as the paper does: an outlier's ball makes everything realistic.

        Raises:
            ValueError: k is not from 1 to N - 1, the features are not finite, or most of them are equal.
        """
        distances, _ = nearest(real, real, k, exclude_self=True, device=device)
        radii = distances[:, -1].astype(np.float64)
        taken = np.flatnonzero((radii <= np.median(radii)) & (radii > 0))
        if not len(taken):
            raise ValueError("half of the images or more are equal")
        mean: Array = real.mean(axis=0, dtype=np.float64)
        return cls(real[taken] - mean, radii[taken], mean, device)

    @cached_property
    def _balls(self) -> tuple[Tensor, Tensor, Tensor]:
        """Centres, their squares and one over the radii, where distances are taken."""
        centres, inverse = (torch.from_numpy(each).to(self.device) for each in (self.centres, 1.0 / self.radii))
        return centres, centres.square().sum(dim=1), inverse

    def realism(self, features: Features) -> Array:
        """Return the realism [n] of features [n, D]: the largest ratio of a ball's radius to its centre's distance.

        From 1 up an image lies inside a ball; a copy of a centre has infinity.

        Raises:
            ValueError: the features have another width.

        Reference: Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, 2019,
        equation 3.
        """
        if features.ndim != 2 or features.shape[1] != self.centres.shape[1]:
            raise ValueError(f"features are {features.shape}, expected [n, {self.centres.shape[1]}]")
        (centres, squares, inverse), found = self._balls, np.empty(len(features))
        for start in range(0, len(features), _ROWS):
            block = torch.from_numpy(features[start : start + _ROWS] - self.mean).to(self.device)
            # in float64, centred: of a copy nothing but rounding is left, which is as good as 0
            squared = block.square().sum(dim=1, keepdim=True) + squares - 2 * block @ centres.T
            relative = squared.clamp_min(0.0).sqrt() * inverse
            found[start : start + _ROWS] = relative.amin(dim=1).cpu().numpy()
        with np.errstate(divide="ignore"):
            result: Array = 1.0 / found
        return result


class RealismLook:
    """Rejects images whose realism lies below a threshold.

    How a network and products add up may depend on how many images they are given, and at the threshold the last bit
    decides. So images pass the network in batches of one size, filled up, and each is compared by itself. Where a
    batch is one image, as on a CPU, a verdict depends on that image alone, on processors of one kind with the same
    software; where it is more, as on a GPU, as far as the place in the batch makes no difference.

    Args:
        manifold: of real images.
        least: realism that an image has to have.
        extractor: of the features that the manifold is made of.
    """

    reasons = (UNREALISTIC,)

    def __init__(self, manifold: RealManifold, least: float, extractor: FeatureExtractor) -> None:
        self.manifold, self.least, self.extractor = manifold, least, extractor

    def __call__(self, images: Images, labels: Labels) -> Verdicts:
        """As `Look`."""
        filling = np.repeat(images[:1], -len(images) % self.extractor.batch_size, axis=0)
        features = self.extractor.extract([images, filling])[: len(images)]
        realism = np.concatenate([self.manifold.realism(each[np.newaxis]) for each in features])
        return (realism < self.least).astype(np.int64)
