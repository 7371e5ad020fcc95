"""Whether generated images lie nearer to training images than to images that were not trained on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.metrics.estimate import Estimate
from gan.metrics.ranks import auc, weighted_share
from gan.privacy.view import Distances, Rows, Vectors, View, halves

Array = npt.NDArray[np.float64]

_MOST_PARTS = 5
_QUANTILES = (0.01, 0.05, 0.5)


@dataclass(frozen=True)
class DcrShare:
    """Of generated images, how many are nearer to a training image than to a held out one.

    Attributes:
        share: 0.5 is expected where nothing is learnt by heart.
        control: the same between two halves of the training images, where nothing can be shown.
        num_each: images on either side.
    """

    share: Estimate
    control: Estimate
    num_each: int


@dataclass(frozen=True)
class NearestRatios:
    """Distance to the nearest training image over that to the second nearest: near 0 only one image can be meant.

    Attributes:
        nearer: chance that a held out image's ratio is above a generated one's; 0.5 is expected.
        control: the same of one half of the holdout against the other.
        generated: 1 %, 5 % and 50 % quantiles of the generated images' ratios.
        holdout: likewise.
    """

    nearer: Estimate
    control: Estimate
    generated: tuple[float, ...]
    holdout: tuple[float, ...]


def dcr_share(view: View, *, seed: int = 0) -> DcrShare:
    """Return the share of generated images whose distance to the closest record is smaller in the training set.

    The nearest of many images is nearer than the nearest of few: the larger set is cut into up to five parts as large
    as the smaller one, and the mean over these is returned. The interval is for which of the images near by are
    training images: generated images that share their nearest image count as one, so that many images cannot make up
    for few real ones. Equally near counts half.

    Args:
        view: of the images.
        seed: of the parts.

    Reference: Platzer and Reutterer, Holdout-Based Empirical Assessment of Mixed-Type Synthetic Data, 2021, section
    3.2.
    """
    share, num_each = _share(view, view.training, view.holdout, seed)
    control, _ = _share(view, *halves(view.training, seed), seed)
    return DcrShare(share, control, num_each)


def nearest_ratios(view: View, *, seed: int = 0) -> NearestRatios:
    """Compare the nearest-neighbour distance ratios of generated images with those of held out ones.

    Args:
        view: of the images.
        seed: of the halves of the control.

    Reference: Zhao et al., CTAB-GAN: Effective Table Data Synthesizing, 2021, section 4.1, for the ratio; Lowe,
    Distinctive Image Features from Scale-Invariant Keypoints, 2004, section 7.1, for why it tells a match.
    """
    ours, theirs = (_ratios(view, each) for each in (view.generated, view.holdout))
    order = np.random.default_rng(seed).permutation(len(theirs))
    first, second = theirs[order[: len(order) // 2]], theirs[order[len(order) // 2 :]]
    return NearestRatios(
        nearer=auc(theirs, ours),
        control=auc(first, second),
        generated=tuple(np.quantile(ours, _QUANTILES).tolist()),
        holdout=tuple(np.quantile(theirs, _QUANTILES).tolist()),
    )


def _share(view: View, members: Vectors, others: Vectors, seed: int) -> tuple[Estimate, int]:
    size = min(len(members), len(others))
    parts = [
        [each[rows] for rows in _parts(len(each), size, np.random.default_rng([seed, side]))]
        for side, each in enumerate((members, others))
    ]
    found = [[view.search(view.generated, part, 1) for part in side] for side in parts]
    count = max(len(side) for side in parts)
    shares = [_nearer(found[0][i % len(found[0])], found[1][i % len(found[1])]) for i in range(count)]
    value, low, high = np.mean([[each.value, each.low, each.high] for each in shares], axis=0).tolist()
    return Estimate(value, low, high), size


def _parts(count: int, size: int, rng: np.random.Generator) -> list[Rows]:
    order = rng.permutation(count)
    return [order[start * size : (start + 1) * size] for start in range(min(_MOST_PARTS, count // size))]


def _nearer(to_members: tuple[Distances, Rows], to_others: tuple[Distances, Rows]) -> Estimate:
    near, row = (each[:, 0] for each in to_members)
    other_near, other_row = (each[:, 0] for each in to_others)
    hits = np.where(near == other_near, 0.5, (near < other_near).astype(np.float64))
    # the image that is meant: even numbers are members
    meant = np.where(near <= other_near, 2 * row, 2 * other_row + 1)
    _, place, weights = np.unique(meant, return_inverse=True, return_counts=True)
    return weighted_share(np.bincount(place, weights=hits) / weights, weights.astype(np.float64))


def _ratios(view: View, queries: Vectors) -> Array:
    distances, _ = view.search(queries, view.training, 2)
    first, second = distances.astype(np.float64).T
    # an image that equals two training images means either
    result: Array = np.divide(first, second, out=np.zeros_like(first), where=second > 0)
    return result
