"""Whether a classifier learns as much from a release as from its model's images when the model was registered."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gan.evaluation.extraction import KEPT_BYTES
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.feature_set import KEPT
from gan.release.checks import Check
from gan.release.figures import rows_like
from gan.usefulness.arms import ClassifierRecipe, Labelled
from gan.usefulness.classifier import OnProgress
from gan.usefulness.scores import generated_accuracy

Rows = npt.NDArray[np.int64]
_CAS = re.compile("cas[0-9]+k?")


def registered_cas(registered: Evaluation) -> str | None:
    """Return the key of the model's CAS; None where it was not measured."""
    return next(filter(_CAS.fullmatch, registered.metrics), None)


def rows_for_cas(labels: Rows, like: Rows, registered: Evaluation, image_bytes: int) -> Rows | None:
    """Return as many rows of a release as the model's CAS was measured with; None where it has not so many.

    Args:
        labels: [N] int64 of the release.
        like: [M] int64 of the real images, whose shares of classes they have.
        registered: the evaluation of the model.
        image_bytes: of an image.
    """
    wanted = min(registered.protocol.num_generated, KEPT, KEPT_BYTES // image_bytes)
    rows = rows_like(labels, like, wanted)
    return rows if len(rows) == wanted else None


def cas_of(
    generated: Labelled,
    real_labels: Rows,
    holdout: Labelled,
    class_names: Sequence[str],
    *,
    seeds: int,
    device: str,
    on_progress: OnProgress | None = None,
) -> Metric:
    """Measure the CAS of a release by the protocol of an evaluation; errors as of `generated_accuracy`."""
    recipe = ClassifierRecipe(device=device)
    found = generated_accuracy(
        generated, real_labels, holdout, len(class_names), seeds=seeds, recipe=recipe, on_progress=on_progress
    )
    return Metric.of(found, f"{seeds} classifiers trained on images of the release")


def unmeasured(why: str) -> Check:
    """Say that usefulness was not measured, which stands against no release."""
    return Check(check="usefulness", passed=True, said=f"whether a classifier learns from it is not measured: {why}")
