"""What images that were not trained on say of a generator."""

import numpy as np
import pytest

from gan.evaluation.scores import kid_metric
from gan.evaluation.unseen import LEAST_HOLDOUT, against_holdout
from gan.metrics.feature_set import FeatureSet, collect
from gan.metrics.frechet import fid
from gan.metrics.kid import kid

from .conftest import Counting


def features(count: int, seed: int, dimensions: int = 64) -> FeatureSet:
    return collect([np.random.default_rng(seed).random((count, dimensions)).astype(np.float32)])


DRAWN, TRAINING, HOLDOUT = features(300, 0), features(500, 1), features(LEAST_HOLDOUT, 2)


def scored(drawn=DRAWN, training=TRAINING, holdout=HOLDOUT, split="train", network=None):
    return against_holdout(drawn, training, holdout, (network or Counting()).extractor.network, split=split)


def test_kid_decides_against_few_held_out_images() -> None:
    found = scored()
    assert list(found.metrics) == ["holdout_kid300", "gap_fid300"]
    assert found.metrics["holdout_kid300"] == kid_metric(kid(DRAWN.features, HOLDOUT.features))
    assert found.influences.value == pytest.approx(found.metrics["holdout_kid300"].value, rel=1e-6)
    assert (found.influences.num_generated, found.influences.num_reference) == (300, LEAST_HOLDOUT)
    assert found.warnings == []


def test_the_gap_is_to_equally_many_images() -> None:
    gap = scored().metrics["gap_fid300"]
    assert gap.note == f"to {LEAST_HOLDOUT} training images, less to {LEAST_HOLDOUT} held out ones"
    wanted = fid(DRAWN.features, TRAINING.features[:LEAST_HOLDOUT]) - fid(DRAWN.features, HOLDOUT.features)
    assert gap.value == pytest.approx(wanted, rel=1e-6)
    assert gap.low < 0.0 < gap.high
    turned = scored(training=HOLDOUT, holdout=TRAINING)
    assert turned.metrics["gap_fid300"].value == pytest.approx(-wanted, rel=1e-6)


def test_what_is_learnt_by_heart_is_told_from_what_is_not() -> None:
    """The score that decides does not fall with it, and the gap does."""
    thief = scored(drawn=TRAINING.head(300))
    honest = scored(drawn=features(300, 3))
    assert thief.metrics["gap_fid300"].high < 0.0 < honest.metrics["gap_fid300"].high
    assert fid(TRAINING.head(300).features, TRAINING.features) < fid(features(300, 3).features, TRAINING.features) / 2
    assert thief.metrics["holdout_kid300"].value == pytest.approx(honest.metrics["holdout_kid300"].value, abs=0.01)
    assert "nearer to training images than to held out ones" in "".join(thief.warnings)
    assert honest.warnings == []


def test_fid_decides_where_there_are_images_enough() -> None:
    drawn, holdout = features(2048, 0, 4), features(2048, 2, 4)
    found = scored(drawn, features(2048, 1, 4), holdout)
    assert list(found.metrics) == ["holdout_fid2048", "gap_fid2048"]
    assert found.metrics["holdout_fid2048"].value == pytest.approx(fid(drawn.features, holdout.features), rel=1e-9)
    assert found.influences.value == found.metrics["holdout_fid2048"].value
    fewer = scored(drawn, features(2048, 1, 4), features(2047, 2, 4))
    assert list(fewer.metrics) == ["holdout_kid2048", "gap_fid2048"]


def test_where_the_holdout_is_what_is_compared_with_only_the_gap_is_new() -> None:
    found = scored(split="test")
    assert list(found.metrics) == ["gap_fid300"]
    assert found.influences is None


@pytest.mark.parametrize("holdout", [None, features(LEAST_HOLDOUT - 1, 2)])
def test_too_few_held_out_images_are_said(holdout: FeatureSet | None) -> None:
    found = scored(holdout=holdout)
    assert (found.metrics, found.influences) == ({}, None)
    assert list(found.warnings) == [
        "the score that decides is measured against images that were trained on: "
        f"{len(holdout) if holdout else 0} images are held out, and {LEAST_HOLDOUT} are needed"
    ]
    assert scored(holdout=holdout, split="all").warnings == []  # of images that may have been seen by nobody


def test_as_many_as_are_judged_or_were_trained_on_are_enough() -> None:
    """The score against them is then no less certain than the usual one."""
    few = features(50, 2)
    assert "holdout_kid50" in scored(drawn=features(50, 0), holdout=few).metrics
    assert "holdout_kid300" in scored(training=features(50, 1), holdout=few).metrics
    (warning,) = scored(drawn=features(51, 0), holdout=few).warnings
    assert warning.endswith("50 images are held out, and 51 are needed")
    assert scored(drawn=features(4, 0), training=features(3, 1), holdout=few, split="test").metrics == {}


def test_another_network_has_other_names() -> None:
    found = scored(network=Counting("dinov2", "1" * 64))
    assert list(found.metrics) == ["holdout_kd_dinov2_300", "gap_fd_dinov2_300"]
