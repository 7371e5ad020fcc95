"""Whether the images of a class are of that class, as a classifier sees it that has learnt from real images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from gan.usefulness.arms import ClassifierRecipe, Labelled, require_labels
from gan.usefulness.classifier import OnProgress, train_classifier

Labels = npt.NDArray[np.int64]

LEVEL = 0.01
"""Chance that a release whose labels are right is called wrong, all classes together."""


@dataclass(frozen=True, eq=False)
class Recognised:
    """What a classifier sees.

    Attributes:
        labels: [N] int64, of the release.
        seen: [N] int64, what the classifier takes the images for.
        holdout_labels: [H] int64, of held out real images: the control.
        holdout_seen: [H] int64, likewise.
    """

    labels: Labels
    seen: Labels
    holdout_labels: Labels
    holdout_seen: Labels


@dataclass(frozen=True)
class Mistaken:
    """A class whose images look like those of another one.

    Attributes:
        label: that the images have.
        looks_like: the class that more of them are taken for.
        own: share that is taken for the class itself.
        other: share that is taken for the other one.
    """

    label: int
    looks_like: int
    own: float
    other: float


def recognise(
    release: Labelled,
    training: Labelled,
    holdout: Labelled,
    num_classes: int,
    *,
    recipe: ClassifierRecipe = ClassifierRecipe(),  # noqa: B008 - frozen
    on_progress: OnProgress | None = None,
) -> Recognised:
    """Train a classifier on real images and let it say what the images of a release are.

    Args:
        release: images of any of the classes.
        training: real images to learn from.
        holdout: other real images.
        num_classes: classes of the dataset, from 2 up.
        recipe: how it is trained.
        on_progress: called after each step with (steps done, steps in all).

    Raises:
        InputError: there are fewer than 2 classes, or an image has no label or that of no class.
        ValueError: images are of several shapes.
    """
    require_labels({"generated": release, "real": training, "holdout": holdout}, num_classes)
    classifier = train_classifier(
        training.images,
        training.labels,
        num_classes,
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        mirror=recipe.mirror,
        device=recipe.device,
        on_progress=on_progress,
    )
    return Recognised(
        release.labels, classifier.predict(release.images), holdout.labels, classifier.predict(holdout.images)
    )


def mistaken_classes(found: Recognised, *, level: float = LEVEL) -> list[Mistaken]:
    """Return the classes of which more images look like another class than like themselves, beyond chance.

    Only classes are judged whose held out images the classifier sees rightly by the same measure: elsewhere it cannot
    tell. Of the images that are taken for either of the two, half would be taken for the other one by chance; the
    bound holds for all classes and all others at once (Bonferroni). A generator that draws a class badly is not said to
    have swapped it, unless most of what can be recognised is another class.

    Args:
        found: of `recognise`.
        level: chance of a mistake, all classes together.
    """
    classes = np.unique(found.labels).tolist()
    bound = NormalDist().inv_cdf(1.0 - level / max(1, len(classes) * (len(classes) - 1)))
    mistaken = []
    for label in classes:
        held = _counts(found.holdout_seen[found.holdout_labels == label])
        if not held or max(held, key=lambda each: held[each]) != label:
            continue
        seen = _counts(found.seen[found.labels == label])
        total, own = sum(seen.values()), seen.pop(label, 0)
        other, most = max(seen.items(), key=_by_count, default=(-1, 0))
        if most - own > bound * math.sqrt(most + own):
            mistaken.append(Mistaken(label, other, own / total, most / total))
    return mistaken


def told(mistaken: Sequence[Mistaken], class_names: Sequence[str]) -> str:
    """Return the classes in words."""
    return ", ".join(
        f"{class_names[each.label]} ({each.other:.0%} look like {class_names[each.looks_like]}, {each.own:.0%} like "
        "themselves)"
        for each in mistaken
    )


def _counts(seen: Labels) -> dict[int, int]:
    labels, counts = np.unique(seen, return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def _by_count(item: tuple[int, int]) -> int:
    return item[1]
