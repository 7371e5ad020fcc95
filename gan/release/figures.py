"""What a release scores under its model's own protocol, so that the two can be compared."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gan.errors import InputError
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.scores import LEAST_IMAGES, class_scores, distribution_scores, variety_scores
from gan.evaluation.unseen import against_holdout
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.feature_set import collect
from gan.metrics.network import FeatureNetwork

Rows = npt.NDArray[np.int64]

_ALIKE = 0.03  # of the rows may be of a class that others have too little of


def rows_like(labels: Rows, like: Rows, most: int) -> Rows:
    """Return rows of a release that have the shares of classes that another set has, as many as wanted if there are.

    A release that fills up rare classes is farther from the real images by its classes alone, which is what was asked
    for: scores are taken of rows that have the real images' shares. The first rows of a class are taken. Where a class
    is a little short, up to 3 % of the rows are of other classes instead; where it lacks more, there are fewer rows.

    Args:
        labels: [N] int64 of the release.
        like: [M] int64, -1 for none, M from 1 up.
        most: rows that are wanted.

    Returns:
        [n] int64, ascending, n up to `most`; none where the release lacks one of the classes.
    """
    classes, counts = np.unique(like, return_counts=True)
    of_class = [np.flatnonzero(labels == label) for label in classes.tolist()]
    there, shares = np.array([len(rows) for rows in of_class]), counts / len(like)
    wanted = _in_shares(shares, most)
    short = (wanted - there).clip(min=0).sum()
    filled = bool(short <= _ALIKE * most and there.sum() >= most and there.all())
    if not filled:
        wanted = _in_shares(shares, min(most, int((there / shares).min() + 1e-9)))
    taken = np.minimum(wanted, there).tolist()
    rows = np.concatenate([each[:count] for each, count in zip(of_class, taken, strict=True)])
    if filled:
        others = np.concatenate([each[count:] for each, count in zip(of_class, taken, strict=True)])
        rows = np.concatenate([rows, np.sort(others)[: most - len(rows)]])
    return np.sort(rows)


def _in_shares(shares: npt.NDArray[np.float64], count: int) -> Rows:
    # whole numbers that add up: each class has its part of what the classes so far have
    ends = np.rint(shares.cumsum() * count).astype(np.int64)
    result: Rows = np.diff(ends, prepend=0)
    return result


def release_evaluation(
    generated: EvaluationSet,
    reference: EvaluationSet,
    registered: Evaluation,
    network: FeatureNetwork,
    class_names: Sequence[str],
    *,
    training: EvaluationSet | None = None,
    holdout: EvaluationSet | None = None,
) -> Evaluation:
    """Score a release as its model was scored when it was registered.

    Scores of all classes together are of rows with the reference's shares of classes, as many as the model was scored
    with or as there are; scores of a class and its variety are of all its images. Where fewer rows are there, the keys
    say so, and only what does not move with the number of images can be compared.

    Args:
        generated: the release, or the images of it that were passed through the network.
        reference: the real images of the registered evaluation's split, as many as it had.
        registered: the evaluation of the model.
        network: the one that made all features.
        class_names: by label.
        training: for the score against the holdout, where the model has one.
        holdout: likewise.

    Raises:
        InputError: the network is another one than the registered scores are of, or there are fewer than 4 images.
    """
    protocol = registered.protocol
    if network.sha256 != protocol.network_sha256 or network.precision != protocol.precision:
        raise InputError(
            f"the model was scored with {protocol.network} in {protocol.precision}, and {network.name} in "
            f"{network.precision} cannot be compared with it: score the release with the same network"
        )
    features = generated.features.features
    like = reference.labels if class_names else np.full(len(reference.labels), -1)
    labels = generated.labels[: len(features)] if class_names else np.full(len(features), -1)
    rows = rows_like(labels, like, protocol.num_generated)
    metrics: dict[str, Metric] = {}
    if len(rows) >= LEAST_IMAGES:
        chosen = collect([features[rows]])
        neighbours = max(1, protocol.neighbours)
        metrics, _ = distribution_scores(chosen, reference.features, network, neighbours=neighbours)
        if training is not None and holdout is not None:
            split = protocol.reference_split
            metrics |= against_holdout(chosen, training.features, holdout.features, network, split=split).metrics
    return Evaluation(
        protocol=protocol.model_copy(update={"num_generated": max(2, len(rows))}),
        metrics=metrics,
        per_class=class_scores(generated, reference, class_names),
        variety=variety_scores(generated, reference, class_names),
    )
