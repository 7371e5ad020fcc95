"""Fidelity and variety apart: precision, recall, density and coverage, by balls that reach to the k-th neighbour."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gan.metrics.clipped import clipped_counts, clipped_radii, share_of_good
from gan.metrics.estimate import Estimate
from gan.metrics.neighbours import nearest, pairs_within

Array = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating[Any]]

_PARTS = 20
_QUANTILE = 2.093  # of Student's t for 95 %, with one degree of freedom less than there are parts


@dataclass(frozen=True)
class ManifoldResult:
    """Six scores; they move with k and the numbers of images, so that only scores of equal ones compare."""

    precision: Estimate  # share of generated images inside the reference manifold: fidelity
    recall: Estimate  # share of reference images inside the generated manifold: variety
    density: Estimate  # mean number of reference balls around a generated image, by k: fidelity, 1 for equal sets
    coverage: Estimate  # share of reference balls with a generated image inside: variety
    clipped_density: Estimate  # density where nothing counts for more than one, by that of real images: fidelity
    clipped_coverage: Estimate  # share of good generated images that would fill the reference balls so far: variety
    k: int
    num_generated: int  # compared, max_images at most
    num_reference: int


def manifold(
    generated: Features,
    reference: Features,
    k: int = 5,
    max_images: int = 10_000,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> ManifoldResult:
    """Compare two sets by their manifolds: a ball around every feature, out to its k-th nearest in the same set.

    An outlier has a huge ball: one among the reference raises precision, one among the generated recall. Density and
    coverage count reference balls one by one, so that it moves them far less. In the clipped scores no ball of density
    is larger than the median one, and k images in a ball, or k balls around an image, are as good as more. Both are
    then calibrated: where some of the generated images are as real ones and the others lie nowhere near, they are the
    share of the former.

    The intervals are for drawing both sets anew at these numbers of images. A bootstrap would draw an image twice, and
    the distance 0 between them breaks every radius. Of a plain jackknife the intervals came out half too wide. What
    is used: an image counts by itself, as in a binomial share; what images share because they meet the same balls
    comes from a jackknife that leaves out a twentieth of a set at a time, where only products of two different
    images' deviations are summed.

    Args:
        generated: [N, D] of any float dtype, finite.
        reference: [M, D] likewise.
        k: the neighbour that a ball reaches to, from 1 up to the smaller set's size less 1.
        max_images: a larger set is represented by so many of its images, drawn at random; the work grows with N M.
        seed: of the draws; the same seed gives the same result.
        device: where distances are computed.

    Raises:
        ValueError: k is too large for a set or below 1, the sets differ in D, or are not finite.

    Reference: Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, 2019,
    equations 1 and 2; Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, 2020, equations 3
    and 4; Salvy, Talbot and Thirion, Enhanced Generative Model Evaluation with Clipped Density and Coverage, 2025;
    Efron and Stein, The Jackknife Estimate of Variance, 1981, for why the plain one is too wide.
    """
    rng = np.random.default_rng(seed)
    generated, reference = _draw(generated, max_images, rng), _draw(reference, max_images, rng)
    if not 1 <= k < min(len(generated), len(reference)):
        raise ValueError(
            f"k = {k} needs at least {max(k, 1) + 1} images in each set and k from 1 up, but there are "
            f"{len(generated)} generated and {len(reference)} reference images"
        )
    ours, theirs = _balls(generated, k, rng, device), _balls(reference, k, rng, device)
    clipped = clipped_radii(theirs.radii)
    counts = _count(generated, reference, ours.radii, theirs.radii, clipped, device)
    precision, absent = _share(counts.around > 0), np.isnan(theirs.radii)
    filled = _share(
        clipped_counts(counts.inside, k), np.where(absent, np.nan, clipped_counts(counts.filled, k)), parts=k
    )
    return ManifoldResult(
        precision=precision,
        recall=_share(counts.reached > 0),
        density=_density(counts.around / k, precision, k),
        coverage=_share(counts.inside > 0, np.where(absent, np.nan, counts.filled > 0)),
        clipped_density=_by_real(counts.around_clipped, _among(theirs, clipped), k),
        clipped_coverage=Estimate(
            *(
                share_of_good(end, k, generated=len(generated), reference=len(reference))
                for end in (filled.value, filled.low, filled.high)
            )
        ),
        k=k,
        num_generated=len(generated),
        num_reference=len(reference),
    )


class _Balls(NamedTuple):
    radii: (
        Array  # [N, 1 + parts]: in the whole set, and without each part; nan where the ball's own image is in that part
    )
    distances: npt.NDArray[np.float32]  # [N, 2 k + 4] to the nearest of the same set
    neighbours: npt.NDArray[np.int64]  # which these are


class _Counts(NamedTuple):
    # column 0 counts all; the other columns are without a part, of the generated in reached and inside, else of the
    # reference
    around: Array  # reference balls around a generated image
    around_clipped: Array  # of those that are no larger than the median one
    reached: Array  # generated balls around a reference image
    inside: Array  # generated images inside a reference ball
    filled: Array  # likewise


def _draw(features: Features, count: int, rng: np.random.Generator) -> Features:
    return features if len(features) <= count else features[np.sort(rng.permutation(len(features))[:count])]


def _balls(features: Features, k: int, rng: np.random.Generator, device: str | torch.device) -> _Balls:
    count = len(features)
    distances, neighbours = nearest(features, features, min(2 * k + 4, count - 1), exclude_self=True, device=device)
    # rounded up: float32 may have rounded a distance down, and balls are closed
    distances = np.nextafter(distances, np.float32(np.inf))
    number = min(_PARTS, count)
    parts = rng.permutation(count) % number
    radii = np.empty((count, 1 + number))
    radii[:, 0] = distances[:, k - 1]
    for part in range(number):
        left = (parts[neighbours] != part).cumsum(axis=1)
        # fewer than k of 2k + 4 are left once in a million, or in a tiny set: the farthest has to do there
        place = (left < k).sum(axis=1).clip(max=distances.shape[1] - 1)
        radii[:, 1 + part] = np.where(parts == part, np.nan, distances[np.arange(count), place])
    return _Balls(radii, distances, neighbours)


def _count(
    generated: Features,
    reference: Features,
    generated_radii: Array,
    reference_radii: Array,
    clipped: Array,
    device: str | torch.device,
) -> _Counts:
    generated_squares, reference_squares, clipped_squares = (
        torch.from_numpy(radii**2) for radii in (generated_radii, reference_radii, clipped)
    )
    present = ~generated_squares.isnan()
    around, around_clipped = torch.zeros(2, len(generated), reference_squares.shape[1])
    reached, inside = torch.zeros(2, len(reference), generated_squares.shape[1])
    filled = torch.zeros(len(reference), reference_squares.shape[1])
    largest = (np.nanmax(radii, axis=1) for radii in (generated_radii, reference_radii))
    for i, j, squared in pairs_within(generated, reference, *largest, device=device):
        in_reference = squared[:, None] <= reference_squares[j]
        around.index_add_(0, i, in_reference.float())
        around_clipped.index_add_(0, i, (squared[:, None] <= clipped_squares[j]).float())
        filled.index_add_(0, j, in_reference.float())
        reached.index_add_(0, j, (squared[:, None] <= generated_squares[i]).float())
        inside.index_add_(0, j, (in_reference[:, :1] & present[i]).float())
    return _Counts(*(each.double().numpy() for each in (around, around_clipped, reached, inside, filled)))


def _among(balls: _Balls, radii: Array) -> Array:
    # balls of the same set around each of its images, its own not; nan in the part that the image is left out with
    around = np.empty_like(radii)
    for column, limits in enumerate(radii.T):
        around[:, column] = np.bincount(balls.neighbours[balls.distances <= limits[:, None]], minlength=len(radii))
    return np.where(np.isnan(radii), np.nan, around)


def _by_real(around: Array, among_real: Array, k: int) -> Estimate:
    # also the calibration is another one without a part of the reference
    scaled = clipped_counts(around, k) / np.nanmean(clipped_counts(among_real, k), axis=0)
    found = _density(scaled, _share(around > 0), k)
    return Estimate(*(min(1.0, end) for end in (found.value, found.low, found.high)))


def _share(*held: npt.NDArray[Any], parts: int = 1) -> Estimate:
    # Wilson's interval, for as many independent images as would leave the same variance: it stays inside [0, 1] and is
    # no point where all images agree; an image holds or not, or in parts
    count, value = len(held[0]), float(held[0][:, 0].mean())
    inner = (value * count + 0.5) / (count + 1)
    images = min(parts * count, inner * (1 - inner) / max(_variance(*held), 1e-12))
    shrink = 1 + _QUANTILE**2 / images
    centre = (value + _QUANTILE**2 / (2 * images)) / shrink
    half = _QUANTILE / shrink * math.sqrt(value * (1 - value) / images + (_QUANTILE / (2 * images)) ** 2)
    # rounding alone may leave [0, 1] or the value out
    return Estimate(value, max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)))


def _density(scaled: npt.NDArray[Any], precision: Estimate, k: int) -> Estimate:
    value, half = float(scaled[:, 0].mean()), _QUANTILE * math.sqrt(_variance(scaled))
    # an image inside any ball adds at least 1 / k
    return Estimate(value, max(value - half, precision.low / k), max(value + half, precision.high / k))


def _variance(*scores: npt.NDArray[Any]) -> float:
    # of the mean of scores[0][:, 0], one score per image; every further column: the scores without a part of one set
    own = float(scores[0][:, 0].var(ddof=1)) / len(scores[0])
    return own + sum(max(0.0, _shared(each.astype(np.float64))) for each in scores)


def _shared(scores: Array) -> float:
    # the jackknife's sum of squares over parts, less the square of each image's own deviation, which is in its
    # binomial variance already; a score is nan in the part that its image is left out with, and moves the mean so
    without = scores[:, 1:]
    out = np.isnan(without)
    parts, left = without.shape[1], (~out).sum() / without.shape[1]
    deviations = np.where(out, 0.0, without - np.nanmean(without, axis=1, keepdims=True))
    others = deviations.sum(axis=0)
    leaving = np.where(out, scores[:, :1].mean() - scores[:, :1], 0.0).sum(axis=0)
    products = (others * (others + 2 * leaving)).sum() - np.square(deviations).sum()
    return float(products * (parts - 1) / parts / left**2)
