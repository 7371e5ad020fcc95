"""Augmentation gain: what generated images of a rare class add to the few real ones that there are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.metrics.estimate import Estimate
from gan.usefulness.arms import Arms, ClassifierRecipe, Labelled, require_classes, require_labels
from gan.usefulness.classifier import Images, Labels, OnProgress
from gan.usefulness.intervals import difference_estimate, share_estimate
from gan.usefulness.rare_class import missing_images, reduce_class, smallest_class


@dataclass(frozen=True)
class ArmScores:
    """What the classifiers of one arm reach on the holdout.

    Attributes:
        recall: of the rare class.
        accuracy: over all classes.
        recalls: [seeds] of the rare class.
        f1s: [seeds] of the rare class.
        accuracies: [seeds] over all classes.
    """

    recall: Estimate
    accuracy: Estimate
    recalls: tuple[float, ...]
    f1s: tuple[float, ...]
    accuracies: tuple[float, ...]


@dataclass(frozen=True)
class AugmentationGain:
    """The three arms and their paired differences; a gain below 0 says that the generated images do harm.

    Attributes:
        rare_class: the class that was reduced.
        kept: real images of it that all arms have.
        added: generated images of it in the second arm.
        left_out: further real images of it in the third arm.
        without: the reduced real images.
        augmented: with the generated images added.
        full: with the left-out real images added; what one could hope for.
        recall_gain: of the rare class, augmented minus without.
        f1_gain: of the rare class, which unlike recall also falls where other classes are taken for it.
        accuracy_gain: over all classes.
        recall_headroom: of the rare class, full minus without.
    """

    rare_class: int
    kept: int
    added: int
    left_out: int
    without: ArmScores
    augmented: ArmScores
    full: ArmScores
    recall_gain: Estimate
    f1_gain: Estimate
    accuracy_gain: Estimate
    recall_headroom: Estimate

    def to_metrics(self) -> dict[str, Estimate]:
        """Return the scores by name."""
        return {
            "rare_recall_without": self.without.recall,
            "rare_recall_augmented": self.augmented.recall,
            "rare_recall_full": self.full.recall,
            "rare_recall_gain": self.recall_gain,
            "rare_recall_headroom": self.recall_headroom,
            "rare_f1_gain": self.f1_gain,
            "rare_accuracy_gain": self.accuracy_gain,
        }


def augmentation_gain(
    real_images: Images,
    real_labels: Labels,
    generated_images: Images,
    generated_labels: Labels,
    holdout_images: Images,
    holdout_labels: Labels,
    num_classes: int,
    *,
    rare_class: int | None = None,
    keep: float | int = 0.1,
    seeds: int = 3,
    recipe: ClassifierRecipe = ClassifierRecipe(),  # noqa: B008 - frozen
    on_progress: OnProgress | None = None,
) -> AugmentationGain:
    """Return what generated images of one class, reduced to few real images, add to its recall.

    For the honest experiment the generator is trained on the rows `reduce_class(real_labels, rare_class, keep)` alone.
    One that saw the left-out images may hand them back: its gain says how well it stores them, not what it would do for
    a class of which there are few. This function cannot know; the caller says so beside the score.

    Arms share steps, batches, augmentation and seeds, and every class is drawn equally often in each. The arm without
    generated images thus repeats its few real ones, as one would do without a generator: what is left is the gain from
    other images, not from more of them. Generated images fill the class up to the median size of the others; if there
    are more, each seed draws its own.

    Args:
        real_images: [N, H, W, C] uint8, training images; every class has some.
        real_labels: [N] int64 in [0, num_classes).
        generated_images: [M, H, W, C] uint8; those of other classes are not used.
        generated_labels: [M] int64, the classes that they were generated for.
        holdout_images: [K, H, W, C] uint8, real images that neither the generator nor a classifier trained on.
        holdout_labels: [K] int64; every class has some.
        num_classes: classes of the dataset, from 2 up.
        rare_class: the class to reduce; None takes the smallest real one.
        keep: how much of it stays, see `reduce_class`; 1.0 for a class that is rare by itself, without headroom then.
        seeds: trainings of each arm, from 2 up.
        recipe: how each classifier is trained.
        on_progress: called after every step with (steps done, steps in all) over all trainings.

    Raises:
        InputError: there are fewer than 2 classes, an image has no label or that of no class, a class has no image, or
            the class cannot be reduced so or is not smaller than the others then.
        ValueError: shapes or numbers do not fit.

    Reference: Frid-Adar et al., GAN-based Synthetic Medical Image Augmentation for Increased CNN Performance in Liver
    Lesion Classification, 2018.
    """
    real, generated = Labelled(real_images, real_labels), Labelled(generated_images, generated_labels)
    holdout = Labelled(holdout_images, holdout_labels)
    require_labels({"real": real, "generated": generated, "holdout": holdout}, num_classes)
    require_classes("real", real_labels, np.arange(num_classes))
    require_classes("holdout", holdout_labels, np.arange(num_classes))
    rare = smallest_class(real_labels) if rare_class is None else rare_class
    require_classes("generated", generated_labels, np.array([rare]))
    reduced = real.take(reduce_class(real_labels, rare, keep))
    candidates, added = generated.rows_of(rare), missing_images(reduced.labels, rare)
    kept, left_out = len(reduced.rows_of(rare)), len(real_labels) - len(reduced.labels)

    def augmented(seed: int) -> Labelled:
        return reduced.join(generated.take(np.random.default_rng(seed).permutation(candidates)[:added]))

    count = 3 if left_out else 2
    arms = Arms(holdout, num_classes, recipe=recipe, seeds=seeds, count=count, on_progress=on_progress)
    predicted = [arms.predictions(lambda seed: reduced), arms.predictions(augmented)]
    predicted.append(arms.predictions(lambda seed: real) if left_out else predicted[0])
    without, with_generated, full = predicted
    of_rare = holdout_labels == rare
    correct = [(each == holdout_labels).astype(np.float64) for each in predicted]
    return AugmentationGain(
        rare_class=rare,
        kept=kept,
        added=min(added, len(candidates)),
        left_out=left_out,
        without=_arm_scores(without, holdout_labels, rare),
        augmented=_arm_scores(with_generated, holdout_labels, rare),
        full=_arm_scores(full, holdout_labels, rare),
        recall_gain=difference_estimate((correct[1] - correct[0])[:, of_rare]),
        f1_gain=_f1_gain(with_generated, without, holdout_labels, rare),
        accuracy_gain=difference_estimate(correct[1] - correct[0]),
        recall_headroom=difference_estimate((correct[2] - correct[0])[:, of_rare]),
    )


def _arm_scores(predicted: Labels, labels: Labels, rare: int) -> ArmScores:
    correct = predicted == labels
    of_rare = correct[:, labels == rare]
    return ArmScores(
        recall=share_estimate(of_rare),
        accuracy=share_estimate(correct),
        recalls=tuple(of_rare.mean(axis=1).tolist()),
        f1s=tuple(_f1_parts(predicted, labels, rare).mean(axis=1).tolist()),
        accuracies=tuple(correct.mean(axis=1).tolist()),
    )


def _f1_gain(predicted: Labels, before: Labels, labels: Labels, rare: int) -> Estimate:
    differences = _f1_parts(predicted, labels, rare) - _f1_parts(before, labels, rare)
    return difference_estimate(differences, reach=len(labels) / int((labels == rare).sum()))


def _f1_parts(predicted: Labels, labels: Labels, rare: int) -> npt.NDArray[np.float64]:
    # F1 = 2 TP / (2 TP + FP + FN) is a ratio of means: linearised, it is the mean of one part from each image
    claimed, true = predicted == rare, labels == rare
    hits = 2.0 * (claimed & true)
    weights = claimed.astype(np.float64) + true
    scale = weights.mean(axis=1, keepdims=True)
    f1 = hits.mean(axis=1, keepdims=True) / scale
    parts: npt.NDArray[np.float64] = f1 + (hits - f1 * weights) / scale
    return parts
