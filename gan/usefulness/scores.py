"""Classification Accuracy Score: can a classifier that saw generated images alone tell real ones apart?"""

from dataclasses import dataclass

import numpy as np

from gan.metrics.estimate import Estimate
from gan.usefulness.arms import Arms, ClassifierRecipe, Labelled, Rows, require_classes, require_labels
from gan.usefulness.classifier import Images, Labels, OnProgress
from gan.usefulness.intervals import difference_estimate, share_estimate


@dataclass(frozen=True)
class CasResult:
    """Accuracies on the real holdout of classifiers trained on generated and on real images.

    Attributes:
        generated: accuracy after training on generated images: the CAS.
        real: accuracy after training on as many real images.
        gap: generated minus real; an interval below 0 says that the generated images teach less.
        generated_accuracies: [seeds] the CAS of each seed.
        real_accuracies: [seeds] likewise.
        generated_recalls: [num_classes] mean over seeds of the recall of each class; low where a class is drawn badly.
        real_recalls: [num_classes] likewise.
        training_images: how many each classifier was trained on, of either kind.
    """

    generated: Estimate
    real: Estimate
    gap: Estimate
    generated_accuracies: tuple[float, ...]
    real_accuracies: tuple[float, ...]
    generated_recalls: tuple[float, ...]
    real_recalls: tuple[float, ...]
    training_images: int

    def to_metrics(self) -> dict[str, Estimate]:
        """Return the scores by name."""
        return {"cas": self.generated, "cas_real": self.real, "cas_gap": self.gap}


def classification_accuracy_score(
    real_images: Images,
    real_labels: Labels,
    generated_images: Images,
    generated_labels: Labels,
    holdout_images: Images,
    holdout_labels: Labels,
    num_classes: int,
    *,
    seeds: int = 3,
    recipe: ClassifierRecipe = ClassifierRecipe(),  # noqa: B008 - frozen
    on_progress: OnProgress | None = None,
) -> CasResult:
    """Return the accuracy on real images of classifiers trained on generated ones, beside the same with real ones.

    The two arms share steps, batches, augmentation and seeds, and of each class they have equally many images: the
    fewer that a side has, drawn anew for each seed from the side with more. Classes are sampled equally often in both:
    the score speaks of what a class looks like and not of how often the caller asked for it. Intervals hold for other
    seeds and other holdout images (see `gan.usefulness.intervals`), given the two sets of training images.

    Args:
        real_images: [N, H, W, C] uint8, training images; every class has some.
        real_labels: [N] int64 in [0, num_classes).
        generated_images: [M, H, W, C] uint8; every class has some.
        generated_labels: [M] int64, the classes that they were generated for.
        holdout_images: [K, H, W, C] uint8, real images that neither the generator nor a classifier trained on.
        holdout_labels: [K] int64; every class has some.
        num_classes: classes of the dataset, from 2 up.
        seeds: trainings of each arm, from 2 up.
        recipe: how each classifier is trained.
        on_progress: called after every step with (steps done, steps in all) over the 2 * seeds trainings.

    Raises:
        InputError: there are fewer than 2 classes, an image has no label or that of no class, or a class no image.
        ValueError: shapes or numbers do not fit.

    Reference: Ravuri and Vinyals, Classification Accuracy Score for Conditional Generative Models, 2019.
    """
    real, generated = Labelled(real_images, real_labels), Labelled(generated_images, generated_labels)
    holdout = Labelled(holdout_images, holdout_labels)
    sets = {"real": real, "generated": generated, "holdout": holdout}
    require_labels(sets, num_classes)
    for what, each in sets.items():
        require_classes(what, each.labels, np.arange(num_classes))
    counts = _in_both(real.labels, generated.labels, num_classes)
    arms = Arms(holdout, num_classes, recipe=recipe, seeds=seeds, count=2, on_progress=on_progress)
    of_generated, of_real = _correct(arms, generated, counts), _correct(arms, real, counts)
    return CasResult(
        generated=share_estimate(of_generated),
        real=share_estimate(of_real),
        gap=difference_estimate(of_generated.astype(np.float64) - of_real),
        generated_accuracies=tuple(of_generated.mean(axis=1).tolist()),
        real_accuracies=tuple(of_real.mean(axis=1).tolist()),
        generated_recalls=_recalls(of_generated, holdout.labels, num_classes),
        real_recalls=_recalls(of_real, holdout.labels, num_classes),
        training_images=int(counts.sum()),
    )


def generated_accuracy(
    generated: Labelled,
    real_labels: Labels,
    holdout: Labelled,
    num_classes: int,
    *,
    seeds: int,
    recipe: ClassifierRecipe = ClassifierRecipe(),  # noqa: B008 - frozen
    on_progress: OnProgress | None = None,
) -> Estimate:
    """Return the CAS alone, without the arm of real images: the same number as `CasResult.generated`.

    Args:
        generated: [M], every class has some.
        real_labels: [N] int64, of the training images, by which it follows how many of each class are taken.
        holdout: [K], every class has some.
        num_classes: classes of the dataset, from 2 up.
        seeds: trainings, from 2 up.
        recipe: how each classifier is trained.
        on_progress: called after every step with (steps done, steps in all).

    Raises:
        InputError: there are fewer than 2 classes, an image has no label or that of no class, or a class no image.
        ValueError: shapes or numbers do not fit.
    """
    sets = {"generated": generated, "holdout": holdout}
    require_labels(sets, num_classes)
    for what, each in sets.items():
        require_classes(what, each.labels, np.arange(num_classes))
    arms = Arms(holdout, num_classes, recipe=recipe, seeds=seeds, count=1, on_progress=on_progress)
    return share_estimate(_correct(arms, generated, _in_both(real_labels, generated.labels, num_classes)))


def _in_both(real: Labels, generated: Labels, num_classes: int) -> Rows:
    counts: Rows = np.minimum(*(np.bincount(labels, minlength=num_classes) for labels in (real, generated)))
    return counts


def _correct(arms: Arms, images: Labelled, counts: Rows) -> np.ndarray:
    """Say [seeds, K] which held out images are seen rightly after training on `counts` images of each class."""
    correct: np.ndarray = arms.predictions(lambda seed: images.take(_draw(images, counts, seed))) == arms.holdout.labels
    return correct


def _draw(images: Labelled, counts: Rows, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(images.rows_of(label))[:count] for label, count in enumerate(counts)])


def _recalls(correct: np.ndarray, labels: Labels, num_classes: int) -> tuple[float, ...]:
    return tuple(float(correct[:, labels == label].mean()) for label in range(num_classes))
