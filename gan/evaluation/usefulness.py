"""Whether generated images are of use to a classifier, as metrics of an evaluation."""

from collections.abc import Callable, Sequence

import numpy as np

from gan.errors import InputError
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.extraction import KEPT_BYTES
from gan.metrics.evaluation import Metric
from gan.usefulness.arms import ClassifierRecipe, Labelled
from gan.usefulness.augmentation import AugmentationGain, augmentation_gain
from gan.usefulness.scores import CasResult, classification_accuracy_score

OnProgress = Callable[[str], None]


def usefulness_scores(
    generated: EvaluationSet,
    training: EvaluationSet,
    holdout: EvaluationSet | None,
    class_names: Sequence[str],
    *,
    seeds: int,
    device: str = "cpu",
    on_progress: OnProgress = lambda note: None,
) -> tuple[dict[str, Metric], list[str]]:
    """Return CAS and augmentation gain by name, and a sentence where they cannot be measured.

    Args:
        generated: what is judged, with its classes.
        training: real images to train on.
        holdout: real images to test on.
        class_names: by label.
        seeds: trainings of each arm, from 2 up.
        device: where classifiers are trained.
        on_progress: called with a few words on how far it is.
    """
    if holdout is None or len(class_names) < 2:
        missing = "no images are held out" if holdout is None else "there are no classes to tell apart"
        return {}, [f"usefulness is not measured: {missing}"]
    real, drawn, held = (_labelled(given) for given in (training, generated, holdout))
    sets = (real.images, real.labels, drawn.images, drawn.labels, held.images, held.labels)
    recipe, classes = ClassifierRecipe(device=device), len(class_names)

    def show(what: str) -> Callable[[int, int], None]:
        return lambda done, total: on_progress(f"{what} {done / total:.0%}")

    try:
        shown = show("classifiers")
        cas = classification_accuracy_score(*sets, classes, seeds=seeds, recipe=recipe, on_progress=shown)
        shown = show("a rare class")
        gain = augmentation_gain(*sets, classes, seeds=seeds, recipe=recipe, on_progress=shown)
    except InputError as error:
        return {}, [f"usefulness is not measured: {error}"]
    return _of_cas(cas, seeds) | _of_gain(gain, seeds, class_names), []


def _labelled(given: EvaluationSet) -> Labelled:
    rows = given.kept(KEPT_BYTES)
    return Labelled(np.asarray(given.images[rows]), given.labels[: len(rows)])


def _of_cas(cas: CasResult, seeds: int) -> dict[str, Metric]:
    note = f"{seeds} classifiers trained on {cas.training_images:,} images each"
    return {name: Metric.of(estimate, note) for name, estimate in cas.to_metrics().items()}


def _of_gain(gain: AugmentationGain, seeds: int, class_names: Sequence[str]) -> dict[str, Metric]:
    note = (
        f"class {class_names[gain.rare_class]} reduced to {gain.kept:,} real images, {gain.added:,} generated added; "
        f"{seeds} seeds; the generator has seen all real ones"
    )
    return {name: Metric.of(estimate, note) for name, estimate in gain.to_metrics().items()}
