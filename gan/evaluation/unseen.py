"""The score that decides, against images that were not trained on, and how much nearer those are that were."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gan.evaluation.scores import LEAST_IMAGES, kid_metric, names
from gan.metrics.evaluation import HOLDOUT, Metric, fid_decides, metric_key
from gan.metrics.feature_set import FeatureSet
from gan.metrics.fid_interval import fid_influences, fid_interval
from gan.metrics.kid import kid
from gan.metrics.network import FeatureNetwork
from gan.metrics.paired import Influences, generalisation_gap, kid_influences

LEAST_HOLDOUT = 200
"""Held out images by which generators are told apart: with digits' Inception features and 1,000 generated images the
paired interval is then 1.3 times as wide as with 1,000 real images, with 100 of them 1.6 times, with 25 2.8 times."""

_LEARNT = (
    "the generated images are nearer to training images than to held out ones, by {:.3g} (more than {:.3g}), as chance "
    "explains one time in forty: they are learnt by heart, or the held out images are of another kind"
)


@dataclass(frozen=True, eq=False)
class Unseen:
    """What held out images say.

    Attributes:
        metrics: by key.
        influences: of each image on the score that decides; None where another one does.
        warnings: what a person should know before believing a score.
    """

    metrics: dict[str, Metric] = field(default_factory=dict)
    influences: Influences | None = None
    warnings: Sequence[str] = ()


def against_holdout(
    generated: FeatureSet, training: FeatureSet, holdout: FeatureSet | None, network: FeatureNetwork, *, split: str
) -> Unseen:
    """Return the score that decides against the holdout, and the gap.

    The holdout has images enough if there are `LEAST_HOLDOUT`, or as many as the usual scores are of: the interval is
    then no wider than theirs.

    The gap is FID's at any size: KID does not see what is learnt by heart. Equally many training and held out images
    are compared, so that FID has the same bias in both and the gap none.

    Args:
        generated: features of the images that are judged.
        training: of images that were trained on.
        holdout: of images that were not; None where none are held out.
        network: what the features are of.
        split: what the usual scores are against: of `train` they are scores against images that were trained on, and
            those against the holdout are needed beside them.
    """
    found, count = len(holdout) if holdout else 0, len(generated)
    least = max(LEAST_IMAGES, min(LEAST_HOLDOUT, count, len(training)))
    if holdout is None or found < least or len(training) < LEAST_IMAGES:
        seen = f"the score that decides is measured against images that were trained on: {found} images are held out, "
        return Unseen(warnings=[f"{seen}and {least} are needed"] if split == "train" else [])
    (fd, kd), most = names(network), min(len(training.features), len(holdout.features))
    to_training, to_holdout = (_fid(generated, each.head(most)) for each in (training, holdout))
    gap = generalisation_gap(to_training, to_holdout)
    note = f"to {most:,} training images, less to {most:,} held out ones"
    metrics = {metric_key(f"gap_{fd}", count): Metric.of(gap, note)}
    warnings = [_LEARNT.format(-gap.value, -gap.high)] if gap.high < 0.0 else []
    if split != "train":
        return Unseen(metrics, warnings=warnings)
    if fid_decides(count, found):
        influences = to_holdout if most == found else _fid(generated, holdout)
        score = {metric_key(HOLDOUT + fd, count): Metric.of(fid_interval(influences))}
    else:
        influences = kid_influences(generated.features, holdout.features)
        score = {metric_key(HOLDOUT + kd, count): kid_metric(kid(generated.features, holdout.features))}
    return Unseen(score | metrics, influences, warnings)


def _fid(generated: FeatureSet, real: FeatureSet) -> Influences:
    return fid_influences(generated.features, real.features, moments_a=generated.moments, moments_b=real.moments)
