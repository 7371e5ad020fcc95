"""All metrics between two sets of features, under the names they are reported by."""

from collections.abc import Sequence

import numpy as np

from gan.errors import InputError
from gan.evaluation.evaluation_set import EvaluationSet
from gan.metrics.evaluation import MIN_IMAGES_FOR_FID, Metric, fid_decides, metric_key
from gan.metrics.feature_set import FeatureSet
from gan.metrics.fid_interval import fid_influences, fid_interval
from gan.metrics.kid import KidResult, kid, kid_per_class
from gan.metrics.manifold import manifold
from gan.metrics.mind import PROJECTIONS, mind_estimate
from gan.metrics.network import FeatureNetwork
from gan.metrics.paired import Influences, kid_influences
from gan.metrics.variety import class_variety

LEAST_IMAGES = 4
ALL_IMAGES = "all images"


def distribution_scores(
    generated: FeatureSet, reference: FeatureSet, network: FeatureNetwork, *, neighbours: int
) -> tuple[dict[str, Metric], Influences]:
    """Return FID, KID, MIND, and the scores of `manifold`, each with its interval, and which images decide.

    With another network than Inception the first three are called `fd_<network>_`, `kd_<network>_` and `sw_<network>_`.

    Args:
        generated: features of the images that are judged.
        reference: features of real images.
        network: what the features are of.
        neighbours: k of the scores by neighbours; lowered to what the smaller set allows.

    Returns:
        The scores by key, and the influences on the one that decides, FID or KID, for `paired_difference`.

    Raises:
        InputError: a side has fewer than 4 images.
    """
    require_enough(len(generated), len(reference))
    count = len(generated)
    fd, kd = names(network)
    k = min(neighbours, len(generated) - 1, len(reference) - 1)
    near = manifold(generated.features, reference.features, k=k, device=str(network.device))
    note = f"k = {near.k}, {near.num_generated} generated and {near.num_reference} real images"
    of_fid = fid_influences(
        generated.features, reference.features, moments_a=generated.moments, moments_b=reference.moments
    )
    by_fid = fid_decides(count, len(reference))
    scores = {
        metric_key(fd, count): Metric.of(fid_interval(of_fid)),
        metric_key(kd, count): kid_metric(kid(generated.features, reference.features)),
        metric_key("mind" if network.is_inception else f"sw_{network.name}_", len(generated.features)): Metric.of(
            mind_estimate(generated.features, reference.features), f"{PROJECTIONS:,} directions"
        ),
    } | {
        metric_key(name, near.num_generated): Metric.of(getattr(near, name), note)
        for name in ("precision", "recall", "density", "coverage", "clipped_density", "clipped_coverage")
    }
    return scores, of_fid if by_fid else kid_influences(generated.features, reference.features)


def class_scores(generated: EvaluationSet, reference: EvaluationSet, class_names: Sequence[str]) -> dict[str, Metric]:
    """Return KID by class name, of the classes with at least 4 images on each side."""
    if not class_names:
        return {}
    a, b = generated.features.features, reference.features.features
    found = kid_per_class(a, generated.labels[: len(a)], b, reference.labels[: len(b)])
    return {class_names[label]: kid_metric(result) for label, result in found.items()}


def variety_scores(generated: EvaluationSet, reference: EvaluationSet, class_names: Sequence[str]) -> dict[str, Metric]:
    """Return the variety of each class by its name, or of all images where there are no classes."""
    a, b = generated.features.features, reference.features.features
    of_a, of_b = generated.labels[: len(a)], reference.labels[: len(b)]
    if not class_names:
        of_a, of_b = np.full(len(a), -1), np.full(len(b), -1)
    return {
        class_names[label] if class_names else ALL_IMAGES: Metric(
            value=found.ratio, note=f"{found.generated} generated and {found.real} real images"
        )
        for label, found in class_variety(a, of_a, b, of_b).items()
        if label >= 0 or not class_names
    }


def names(network: FeatureNetwork) -> tuple[str, str]:
    """Return what the Fréchet and the kernel distance are called: FID and KID with Inception alone."""
    return ("fid", "kid") if network.is_inception else (f"fd_{network.name}_", f"kd_{network.name}_")


def require_enough(generated: int, reference: int) -> None:
    """Refuse sets too small for any score.

    Raises:
        InputError: a side has fewer than 4 images.
    """
    if min(generated, reference) < LEAST_IMAGES:
        raise InputError(
            f"scores need at least {LEAST_IMAGES} images on each side, but there are {generated} and {reference}: "
            "take more images"
        )


def kid_metric(result: KidResult) -> Metric:
    """Return a KID with its interval and how it was computed."""
    half_width = 1.96 * result.standard_error
    if result.interval_subset_size == result.subset_size:
        note = f"mean over {result.subsets} subsets of {result.subset_size} images"
    else:
        note = f"all images at once; interval from {result.subsets} subsets of {result.interval_subset_size} images"
    return Metric(value=result.mean, low=result.mean - half_width, high=result.mean + half_width, note=note)


def size_warnings(generated: int, reference: int, network: FeatureNetwork) -> list[str]:
    """Say where a Fréchet distance should not be believed."""
    if min(generated, reference) >= MIN_IMAGES_FOR_FID:
        return []
    fd, kd = ("FID", "KID") if network.is_inception else ("the Fréchet distance", "the kernel distance")
    return [
        f"{fd} is strongly biased below {MIN_IMAGES_FOR_FID} images (here {generated} generated and "
        f"{reference} reference): go by {kd}"
    ]
