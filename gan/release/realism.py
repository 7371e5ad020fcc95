"""Images that lie outside what real images are like: rejected where somebody asks for it, at a cost in variety."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

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
            ValueError: k is not from 1 to N - 1, or the features are not finite.
        """
        distances, _ = nearest(real, real, k, exclude_self=True, device=device)
        radii = distances[:, -1].astype(np.float64)
        taken = np.flatnonzero((radii <= np.median(radii)) & (radii > 0))
        mean: Array = real.mean(axis=0, dtype=np.float64)
        return cls(real[taken] - mean, radii[taken], mean, device)

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
        centres, inverse = (torch.from_numpy(each).to(self.device) for each in (self.centres, 1.0 / self.radii))
        squares, found = centres.square().sum(dim=1), np.empty(len(features))
        for start in range(0, len(features), _ROWS):
            block = torch.from_numpy(features[start : start + _ROWS] - self.mean).to(self.device)
            # in float64, centred: of a copy nothing but rounding is left, which is as good as 0
            squared = block.square().sum(dim=1, keepdim=True) + squares - 2 * block @ centres.T
            relative = squared.clamp_min(0.0).sqrt() * inverse
            found[start : start + _ROWS] = relative.amin(dim=1).cpu().numpy()
        with np.errstate(divide="ignore"):
            result: Array = 1.0 / found
        return result


def realism_threshold(real: Features, held_out: Features, share: float, *, k: int = 3) -> float:
    """Return the realism below which a share of real images falls that the manifold has not seen.

    Args:
        real: [N, D], of which the manifold is made.
        held_out: [H, D], other real images.
        share: of real images that would be rejected, in (0, 0.5].
        k: of the manifold.

    Raises:
        ValueError: share is out of range, there are fewer than 1 / share held out images, or as `RealManifold` does.
    """
    if not 0.0 < share <= 0.5 or len(held_out) * share < 1.0:
        raise ValueError(f"share = {share} of {len(held_out)} held out images is less than one, or not in (0, 0.5]")
    return float(np.quantile(RealManifold.of(real, k=k).realism(held_out), share, method="lower"))


class RealismLook:
    """Rejects images whose realism lies below a threshold.

    Args:
        manifold: of real images.
        threshold: of `realism_threshold`: it says what share of real images would be rejected.
        features: gives the features [n, D] of images [n, H, W, C] uint8, of the same network as the manifold's.
    """

    reasons = (UNREALISTIC,)

    def __init__(self, manifold: RealManifold, threshold: float, features: Callable[[Images], Features]) -> None:
        self.manifold, self.threshold, self.features = manifold, threshold, features

    def __call__(self, images: Images, labels: Labels) -> Verdicts:
        """As `Look`."""
        return (self.manifold.realism(self.features(images)) < self.threshold).astype(np.int64)
