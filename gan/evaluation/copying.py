"""Copies of training images among generated ones, by features and by pixels, ready to be reported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.fingerprints import LEAST_SIDE
from gan.evaluation.copy_shares import FEATURES, LEVEL, PIXELS, beyond_chance
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.extraction import KEPT_BYTES
from gan.evaluation.pictures import Pair
from gan.metrics.copies import MIN_HOLDOUT, CopiesResult, find_copies
from gan.metrics.evaluation import Metric
from gan.metrics.feature_set import KEPT
from gan.metrics.pixel_copies import find_pixel_copies

Rows = npt.NDArray[np.int64]
Names = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class Copying:
    """What was found; metrics under names without a number of images, also of held out images in their place."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    feature_pairs: Sequence[Pair] = ()
    pixel_pairs: Sequence[Pair] = ()
    of_holdout: dict[str, Metric] = field(default_factory=dict)


def look_for_copies(
    generated: EvaluationSet,
    training: EvaluationSet,
    holdout: EvaluationSet | None,
    *,
    name: Names = str,
    device: str = "cpu",
) -> Copying:
    """Count generated images that are nearer to a training image than held out images are.

    Features are looked at as far as there are any; pixels as a release looks at them, of all training images, up to
    50,000. Without a holdout of at least 20 images there is nothing to count by: authenticity and the nearest pairs
    are left.

    Args:
        generated: what is judged.
        training: what may have been copied.
        holdout: real images that were not trained on.
        name: what a generated image is called, by its index.
        device: where distances are taken.
    """
    warnings: list[str] = []
    if holdout is not None and len(holdout) < MIN_HOLDOUT:
        warnings.append(f"copies are not counted: {len(holdout)} images are held out, and {MIN_HOLDOUT} are needed")
        holdout = None
    by_features = find_copies(
        generated.features.features,
        training.features.features,
        holdout.features.features if holdout else None,
        level=LEVEL,
        device=device,
    )
    feature_pairs = [
        Pair(name(pair.generated), generated.image(pair.generated), training.image(pair.training), pair.score)
        for pair in by_features.pairs
        if generated.rows[pair.generated] < len(generated.images)
    ]
    metrics = {"authenticity": Metric.of(by_features.authenticity)}
    metrics |= _share(FEATURES, by_features, len(training.features.features))
    of_holdout = _share_of_holdout(FEATURES, by_features)
    warnings += _alarm(by_features, "by features")
    sizes = {given.images.shape[1:] for given in (generated, training, holdout) if given}
    if len(sizes) > 1:
        warnings.append(f"pixels are not compared: there are images of {' and '.join(map(_size, sorted(sizes)))}")
        return Copying(metrics, warnings, feature_pairs, of_holdout=of_holdout)
    if min(training.images.shape[1:3]) < LEAST_SIDE:
        warnings.append(f"pixels are not compared: images of {_size(training.images.shape[1:])} are too small")
        return Copying(metrics, warnings, feature_pairs, of_holdout=of_holdout)
    images, originals = generated.images[generated.kept(KEPT_BYTES)[:KEPT]], _most(training)
    by_pixels = find_pixel_copies(images, originals, _most(holdout) if holdout else None, level=LEVEL, device=device)
    pixel_pairs = [
        Pair(name(pair.generated), images[pair.generated], np.asarray(originals[pair.training]), pair.score)
        for pair in by_pixels.pairs
    ]
    metrics |= _share(PIXELS, by_pixels, len(originals))
    of_holdout |= _share_of_holdout(PIXELS, by_pixels)
    warnings += _alarm(by_pixels, "by pixels")
    return Copying(metrics, warnings, feature_pairs, pixel_pairs, of_holdout)


class _Chosen:
    """Some images of a mapped set, read where they are looked at: 50,000 of 256 px are 10 GB.

    Args:
        images: [N, H, W, C] uint8.
        rows: which.
    """

    def __init__(self, images: npt.NDArray[np.uint8], rows: Rows) -> None:
        self.images, self.rows, self.dtype = images, rows, images.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, H, W, C)."""
        return (len(self.rows), *self.images.shape[1:])

    def __len__(self) -> int:
        """Return n."""
        return len(self.rows)

    def __getitem__(self, which: slice | int) -> npt.NDArray[np.uint8]:
        """Read some of them, or one."""
        return np.asarray(self.images[self.rows[which]])


def _most(given: EvaluationSet) -> npt.NDArray[np.uint8] | _Chosen:
    return given.images if len(given.images) <= KEPT else _Chosen(given.images, np.sort(given.rows)[:KEPT])


def _share(name: str, found: CopiesResult, among: int) -> dict[str, Metric]:
    if found.share is None:
        return {}
    note = f"{LEVEL:.1%} by chance, {found.holdout_share:.1%} of the holdout; {among:,} training images"
    return {name: Metric.of(found.share, note)}


def _share_of_holdout(name: str, found: CopiesResult) -> dict[str, Metric]:
    return {} if found.holdout_share is None else {name: Metric(value=found.holdout_share)}


def _alarm(found: CopiesResult, how: str) -> list[str]:
    if found.share is None or not beyond_chance(found.share.low, found.holdout_share or 0.0):
        return []
    return [
        f"{found.share.value:.1%} of the generated images are nearer to a training image than held out images are, "
        f"{how}: look at the pairs"
    ]


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
