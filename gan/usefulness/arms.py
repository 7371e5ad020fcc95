"""The arms of a comparison: trainings that differ in their images alone, judged on the same holdout."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from gan.errors import InputError
from gan.usefulness.classifier import Images, Labels, OnProgress, train_classifier

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassifierRecipe:
    """How every classifier of a comparison is trained; the arguments of `train_classifier`."""

    steps: int = 600
    batch_size: int = 64
    mirror: bool = False
    device: str | torch.device = "cpu"


@dataclass(frozen=True)
class Labelled:
    """Images with their classes.

    Attributes:
        images: [N, H, W, C] uint8.
        labels: [N] int64.
    """

    images: Images
    labels: Labels

    def take(self, rows: Rows) -> "Labelled":
        """Return the images of these rows [n] int64."""
        return Labelled(self.images[rows], self.labels[rows])

    def rows_of(self, label: int) -> Rows:
        """Return the rows [n] int64 of a class."""
        return np.flatnonzero(self.labels == label)

    def join(self, other: "Labelled") -> "Labelled":
        """Return these images and then the other's."""
        return Labelled(np.concatenate([self.images, other.images]), np.concatenate([self.labels, other.labels]))


class Arms:
    """Trains arm after arm with the same recipe and the same seeds 0 to `seeds` - 1.

    Args:
        holdout: what every classifier is judged on.
        num_classes: classes of the dataset.
        recipe: how each is trained.
        seeds: trainings of each arm, from 2 up, because their spread is part of every interval.
        count: arms that will be trained.
        on_progress: called after every step with (steps done, steps in all) over all trainings.

    Raises:
        ValueError: there are fewer than 2 seeds.
    """

    def __init__(
        self,
        holdout: Labelled,
        num_classes: int,
        *,
        recipe: ClassifierRecipe,
        seeds: int,
        count: int,
        on_progress: OnProgress | None,
    ) -> None:
        if seeds < 2:
            raise ValueError(f"seeds = {seeds}, but an interval needs at least 2")
        self.holdout = holdout
        self.num_classes = num_classes
        self.recipe = recipe
        self.seeds = seeds
        self.on_progress = on_progress or (lambda done, total: None)
        self._steps_done = 0
        self._steps_total = count * seeds * recipe.steps

    def predictions(self, training_set: Callable[[int], Labelled]) -> Labels:
        """Return the classes [seeds, N] int64 that classifiers trained on `training_set(seed)` see in the holdout."""
        return np.stack([self._predict(training_set(seed), seed) for seed in range(self.seeds)])

    def _predict(self, training_set: Labelled, seed: int) -> Labels:
        classifier = train_classifier(
            training_set.images,
            training_set.labels,
            self.num_classes,
            steps=self.recipe.steps,
            batch_size=self.recipe.batch_size,
            mirror=self.recipe.mirror,
            device=self.recipe.device,
            seed=seed,
            on_progress=self._count,
        )
        return classifier.predict(self.holdout.images)

    def _count(self, done: int, total: int) -> None:
        self._steps_done += 1
        self.on_progress(self._steps_done, self._steps_total)


def require_labels(sets: dict[str, Labelled], num_classes: int) -> None:
    """Check that all sets, by what they are called, have labels in [0, num_classes) and images of one shape.

    Raises:
        InputError: there are fewer than 2 classes, or a label is missing (-1) or not of this dataset.
        ValueError: images and labels differ in number, or sets in the shape of their images.
    """
    if num_classes < 2:
        raise InputError(
            f"a classifier needs at least 2 classes but the dataset has {num_classes}: add labelled images"
        )
    shapes = {each.images.shape[1:] for each in sets.values()}
    if len(shapes) > 1 or any(len(each.images) != len(each.labels) for each in sets.values()):
        found = ", ".join(f"{what}: {each.images.shape} and {each.labels.shape}" for what, each in sets.items())
        raise ValueError(f"images and labels are not of one shape and number ({found})")
    for what, each in sets.items():
        outside = (each.labels < 0) | (each.labels >= num_classes)
        if outside.any():
            label, count = int(each.labels[outside][0]), int(outside.sum())
            wrong = "have no label" if label < 0 else f"have labels such as {label} beyond the {num_classes} classes"
            raise InputError(
                f"{count} of {len(outside)} {what} images {wrong}: label them all with a class or leave them out"
            )


def require_classes(what: str, labels: Labels, wanted: Rows) -> None:
    """Check that there is an image of each wanted class [n] int64.

    Raises:
        InputError: there is none.
    """
    missing = np.setdiff1d(wanted, labels)
    if len(missing):
        shown = ", ".join(str(label) for label in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise InputError(f"there are no {what} images of {len(missing)} of the classes ({shown}): add some of each")
