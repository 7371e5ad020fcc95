"""The decision between a candidate and the champion."""

import pytest

from gan.errors import InputError, ProtocolMismatchError
from gan.evaluation.gate import decide
from gan.metrics.evaluation import Evaluation, Metric


def test_first_candidate_is_promoted(scored, protocol) -> None:
    """Without a champion there is nothing to beat."""
    decision = decide(scored(50.0, 0.5, protocol()), None)
    assert decision.promote
    assert decision.metric == "fid10k"
    assert "no champion yet" in decision.reason


@pytest.mark.parametrize(
    ("generated", "reference", "metric", "promote"),
    [(10_000, 10_000, "fid10k", True), (10_000, 1437, "kid10k", False), (2000, 10_000, "kid2k", False)],
)
def test_few_images_are_decided_by_kid(
    generated: int,
    reference: int,
    metric: str,
    promote: bool,
    scored,
    protocol,
) -> None:
    """The candidate has the better FID and the worse KID; below 2,048 images on a side KID counts."""
    under = protocol(generated, reference)
    decision = decide(scored(10.0, 0.3, under), scored(20.0, 0.2, under))
    assert (decision.metric, decision.promote) == (metric, promote)
    both = ("10", "20") if promote else ("0.3", "0.2")
    assert all(number in decision.reason for number in both)


def test_a_tie_keeps_the_champion(scored, protocol) -> None:
    """Only a lower score is promoted."""
    assert not decide(scored(10.0, 0.1, protocol()), scored(10.0, 0.2, protocol())).promote


def test_other_protocols_are_refused(scored, protocol) -> None:
    """A champion's score of another dataset is not compared."""
    with pytest.raises(ProtocolMismatchError, match="dataset_md5 d and e"):
        decide(scored(1.0, 0.1, protocol()), scored(2.0, 0.2, protocol(dataset_md5="e")))


def test_missing_metric_is_named(protocol) -> None:
    """An evaluation without the deciding score says which one is missing."""
    record = Evaluation(protocol=protocol(), metrics={"kid10k": Metric(value=0.1)})
    with pytest.raises(InputError, match="no fid10k"):
        decide(record, None)
