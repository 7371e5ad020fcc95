"""What the gate asks MLflow for: the images by which two scores are told apart, on a real store (SQLite)."""

import numpy as np
import pytest
from mlflow import MlflowClient

from gan.evaluation.evaluator import Evaluated
from gan.evaluation.pictures import Pictures
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.paired import kid_influences, paired_difference
from gan.metrics.protocol import Protocol
from tasks.evaluate.record import INFLUENCES, difference, keep_evaluation
from tasks.evaluate.second_opinion import second_opinion
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
FACTS = {"reference_split": "train", "resize": "tf1", "network": "n", "network_sha256": "s", "precision": "fp32"}
PROTOCOL = Protocol.model_validate(FACTS | {"dataset_md5": "d", "seed": 0, "num_generated": 30, "num_reference": 20})
REAL = np.random.default_rng(0).standard_normal((20, 3))


def influences(seed):
    return kid_influences(np.random.default_rng(seed).standard_normal((30, 3)) + 0.5, REAL)


@pytest.fixture
def settings(tmp_path):
    return Settings(ganflow_home=tmp_path, mlflow_tracking_uri=None)


@pytest.fixture
def measured(settings):
    """Keep an evaluation with these influences, or with none, as those of before have it."""

    def of(title, found):
        evaluation = Evaluation(protocol=PROTOCOL, metrics={"kid30": Metric(value=0.1)})
        return keep_evaluation(settings, Evaluated(evaluation, Pictures(), found), title=title, facts={})

    return of


def test_two_evaluations_are_told_apart_by_what_was_kept_of_them(settings, measured):
    ours, theirs = influences(1), influences(2)
    found = difference(settings, measured("ours", ours), measured("theirs", theirs))
    wanted = paired_difference(ours, theirs)
    assert (found.value, found.low, found.high) == pytest.approx((wanted.value, wanted.low, wanted.high), rel=1e-5)


@pytest.mark.parametrize("lost", ["never kept", "another number of images", "something else", "its run is gone"])
def test_where_that_is_lost_nothing_is_said(settings, measured, lost, tmp_path):
    ours, found = measured("ours", influences(1)), influences(2)
    if lost == "another number of images":
        found = kid_influences(np.ones((31, 3)), REAL)
    theirs = measured("theirs", None if lost == "never kept" else found)
    if lost == "something else":
        (tmp_path / INFLUENCES).write_bytes(b"PK")
        MlflowClient(settings.tracking_uri).log_artifact(theirs.evaluation_run, str(tmp_path / INFLUENCES))
    if lost == "its run is gone":
        theirs = theirs.model_copy(update={"evaluation_run": "0" * 32})
    assert difference(settings, ours, theirs) is None
    assert MlflowClient(settings.tracking_uri).get_run(ours.evaluation_run).info.status == "FINISHED"


def test_what_another_network_said_of_both_is_found(settings):
    other = PROTOCOL.model_copy(update={"network": "dino"})

    def keep(training_run, value, protocol=other, key="kd_dino_30"):
        evaluation = Evaluation(protocol=protocol, metrics={key: Metric(value=value)})
        facts = {"training run": training_run}
        keep_evaluation(settings, Evaluated(evaluation, Pictures()), title=f"of {training_run}", facts=facts)

    keep("candidate", 0.1)
    keep("candidate", 0.2, PROTOCOL, "kid30")
    assert second_opinion(settings, "candidate", "champion") is None
    keep("champion", 0.3, other.model_copy(update={"seed": 1}))
    keep("champion", 0.2, PROTOCOL, "kid30")
    assert second_opinion(settings, "candidate", "champion") is None, "not under one protocol"
    keep("champion", 0.4)
    ours, theirs = second_opinion(settings, "candidate", "champion")
    assert (ours.values, theirs.values) == ({"kd_dino_30": 0.1}, {"kd_dino_30": 0.4})
