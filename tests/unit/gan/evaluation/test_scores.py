"""Names, notes and warnings of the scores between two sets of features."""

import numpy as np
import pytest

from gan.errors import InputError
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.scores import (
    class_scores,
    distribution_scores,
    kid_metric,
    require_enough,
    size_warnings,
    variety_scores,
)
from gan.metrics.evaluation import Metric
from gan.metrics.feature_set import FeatureSet, collect
from gan.metrics.frechet import fid
from gan.metrics.kid import kid
from gan.metrics.mind import mind_estimate

from .conftest import Counting


def features(count: int, seed: int) -> FeatureSet:
    return collect([np.random.default_rng(seed).random((count, 6)).astype(np.float32)])


def features_of_two(count: int) -> FeatureSet:
    return collect([np.random.default_rng(1).random((count, 2)).astype(np.float32)])


def test_values_are_those_of_each_metric() -> None:
    """FID and KID as their own functions give them, each inside its interval; k is said."""
    a, b = features(40, 0), features(30, 1)
    found, influences = distribution_scores(a, b, Counting().extractor.network, neighbours=3)
    assert found["fid40"].value == pytest.approx(fid(a.features, b.features), rel=1e-9)
    wanted = kid(a.features, b.features)
    assert found["kid40"] == kid_metric(wanted)
    assert influences.value == pytest.approx(wanted.mean, rel=1e-5)  # it decides here
    assert found["kid40"].high == pytest.approx(wanted.mean + 1.96 * wanted.standard_error)
    assert "interval from 100 subsets of 15 images" in found["kid40"].note
    assert found["mind40"] == Metric.of(mind_estimate(a.features, b.features), "1,000 directions")
    assert found["recall40"].note == "k = 3, 40 generated and 30 real images"
    for metric in found.values():
        assert metric.low is not None
        assert metric.high is not None
        assert metric.low <= metric.value <= metric.high


def test_keys_carry_the_number_that_was_looked_at() -> None:
    """Neighbours are looked for among 10,000 images at most; their keys do not claim more."""
    a = collect([np.random.default_rng(0).random((10_500, 2)).astype(np.float32)])
    found, _ = distribution_scores(a, features_of_two(60), Counting().extractor.network, neighbours=3)
    assert {"fid10500", "kid10500", "precision10k", "coverage10k"} <= set(found)


@pytest.mark.parametrize(("generated", "reference", "key"), [(2048, 2048, "fid2048"), (2048, 2047, "kid2048")])
def test_the_influences_are_those_of_the_score_that_decides(generated, reference, key) -> None:
    """FID's from 2,048 images on both sides up, KID's below."""
    sets = (collect([np.random.default_rng(s).random((n, 2)) + s / 2]) for s, n in enumerate((generated, reference)))
    found, influences = distribution_scores(*sets, Counting().extractor.network, neighbours=3)
    assert influences.value == pytest.approx(found[key].value, rel=0.1)  # KID's score is the mean over subsets
    assert (len(influences.generated), len(influences.reference)) == (generated, reference)
    other = ({"fid2048", "kid2048"} - {key}).pop()
    assert influences.value != pytest.approx(found[other].value, rel=0.1)


def test_the_smallest_sets() -> None:
    """Four images are enough for every score, whatever k was asked for."""
    found, _ = distribution_scores(features(4, 0), features(4, 1), Counting().extractor.network, neighbours=5)
    assert len(found) == 9
    with pytest.raises(InputError, match="at least 4 images on each side, but there are 3 and 40"):
        require_enough(3, 40)


def test_classes_are_scored_apart() -> None:
    """A class that is drawn wrong is seen in its own KID alone."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    real, drawn = (rng.normal(size=(60, 6)).astype(np.float32) for _ in range(2))
    drawn[labels == 1] += 3

    def side(rows: np.ndarray) -> EvaluationSet:
        return EvaluationSet(np.zeros((60, 1, 1, 1), dtype=np.uint8), np.arange(60), labels, collect([rows]))

    found = class_scores(side(drawn), side(real), ("a", "b", "c"))
    assert list(found) == ["a", "b", "c"]
    assert found["b"].value > 10 * max(abs(found["a"].value), abs(found["c"].value))
    assert class_scores(side(drawn), side(real), ()) == {}


def test_few_images_are_said() -> None:
    network = Counting().extractor.network
    assert size_warnings(2048, 2048, network) == []
    (warning,) = size_warnings(2047, 5000, network)
    assert warning == "FID is strongly biased below 2048 images (here 2047 generated and 5000 reference): go by KID"


def test_a_class_whose_images_are_alike_has_no_variety() -> None:
    """Each class by its name; without classes all images are one."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    real, drawn = (rng.standard_normal((90, 2)).astype(np.float32) for _ in range(2))
    drawn[labels == 1] = 0.5

    def images(features: np.ndarray) -> EvaluationSet:
        return EvaluationSet(np.zeros((90, 4, 4, 1), np.uint8), np.arange(90), labels, collect([features]))

    found = variety_scores(images(drawn), images(real), ("a", "b", "c"))
    assert found["b"].value == 0.0
    assert min(found["a"].value, found["c"].value) > 0.4
    assert found["b"].note == "30 generated and 30 real images"
    (name,) = variety_scores(images(drawn), images(real), ())
    assert name == "all images"
