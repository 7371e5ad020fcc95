"""Copies of training images among generated ones, by features and by pixels, ready to be reported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gan.data.near_duplicates.fingerprints import LEAST_SIDE
from gan.evaluation.copy_shares import EXPECTED, FEATURES, LEVEL, NEARER, PIXELS, CopyFigure, copy_figures
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.extraction import KEPT_BYTES
from gan.evaluation.pictures import Pair
from gan.metrics.copies import CopiesResult, find_copies
from gan.metrics.copy_control import MIN_CONTROL, Control, control_of
from gan.metrics.evaluation import Metric
from gan.metrics.feature_set import KEPT
from gan.metrics.pixel_copies import find_pixel_copies

Rows = npt.NDArray[np.int64]
Names = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class Copying:
    """What was found; metrics under names without a number of images, also of the control in their place.

    `control` says which images that is; without one there are pairs alone.
    """

    control: Control | None
    metrics: dict[str, Metric] = field(default_factory=dict)
    of_control: dict[str, Metric] = field(default_factory=dict)
    not_seen: Sequence[str] = ()
    feature_pairs: Sequence[Pair] = ()
    pixel_pairs: Sequence[Pair] = ()

    @property
    def figures(self) -> list[CopyFigure]:
        """The metrics that have a control, beside it."""
        return list(copy_figures(self.metrics, self.of_control, self.control))

    @property
    def warnings(self) -> list[str]:
        """What could not be looked at, and what was found."""
        return [*self.not_seen, *(f"{each.said}: look at the pairs" for each in self.figures if each.shown)]


def look_for_copies(
    generated: EvaluationSet,
    training: EvaluationSet,
    holdout: EvaluationSet | None,
    *,
    name: Names = str,
    device: str = "cpu",
) -> Copying:
    """Count generated images that are nearer to a training image than images come that cannot be copies.

    Features are looked at as far as there are any; pixels as a release looks at them, of all training images, up to
    50,000. Where fewer than 20 images are held out, training images among themselves are the control, and all images
    are also compared by their ranks; where there are fewer than 20 of these, too, authenticity and the nearest pairs
    are left.

    Args:
        generated: what is judged.
        training: what may have been copied.
        holdout: real images that were not trained on.
        name: what a generated image is called, by its index.
        device: where distances are taken.
    """
    held = len(holdout) if holdout else 0
    control = control_of(len(training), held)
    not_seen = _of_a_control(control, len(training), held)
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
    metrics |= _figures(FEATURES, by_features, len(training.features.features))
    of_control = _figures_of_control(FEATURES, by_features)
    sizes = {given.images.shape[1:] for given in (generated, training, holdout) if given}
    if len(sizes) > 1:
        not_seen.append(f"pixels are not compared: there are images of {' and '.join(map(_size, sorted(sizes)))}")
        return Copying(control, metrics, of_control, not_seen, feature_pairs)
    if min(training.images.shape[1:3]) < LEAST_SIDE:
        not_seen.append(f"pixels are not compared: images of {_size(training.images.shape[1:])} are too small")
        return Copying(control, metrics, of_control, not_seen, feature_pairs)
    images, originals = generated.images[generated.kept(KEPT_BYTES)[:KEPT]], _most(training)
    by_pixels = find_pixel_copies(images, originals, _most(holdout) if holdout else None, level=LEVEL, device=device)
    pixel_pairs = [
        Pair(name(pair.generated), images[pair.generated], np.asarray(originals[pair.training]), pair.score)
        for pair in by_pixels.pairs
    ]
    metrics |= _figures(PIXELS, by_pixels, len(originals))
    of_control |= _figures_of_control(PIXELS, by_pixels)
    return Copying(control, metrics, of_control, not_seen, feature_pairs, pixel_pairs)


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


def _of_a_control(control: Control | None, training: int, held: int) -> list[str]:
    few = f"{held} images are held out, and {MIN_CONTROL} are needed"
    if control is None:
        return [f"copies are not counted: {few}, or as many training images, of which there are {training}"]
    return [f"copies are told by {control}: {few} for a better control"] if control is Control.AMONG else []


def _figures(name: str, found: CopiesResult, among: int) -> dict[str, Metric]:
    if found.share is None:
        return {}
    note = f"{LEVEL:.1%} by chance, {found.control_share:.1%} of {found.control}; {among:,} training images"
    ranks = {NEARER[name]: Metric.of(found.nearer.found, f"{EXPECTED} by chance")} if found.nearer else {}
    return {name: Metric.of(found.share, note)} | ranks


def _figures_of_control(name: str, found: CopiesResult) -> dict[str, Metric]:
    if found.control is None or found.control_share is None:
        return {}
    note = found.control if found.control is Control.AMONG else ""
    ranks = {NEARER[name]: Metric(value=found.nearer.control, note=note)} if found.nearer else {}
    return {name: Metric(value=found.control_share, note=note)} | ranks


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
