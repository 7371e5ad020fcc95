"""The decision between a candidate and the champion."""

import pytest

from gan.configuration.config import GateConfig
from gan.errors import InputError, ProtocolMismatchError
from gan.evaluation.gate import decide
from gan.metrics.estimate import Estimate
from gan.metrics.evaluation import Evaluation, Metric

BETTER, WORSE, TIE = Estimate(-2.0, -3.0, -1.0), Estimate(2.0, 1.0, 3.0), Estimate(-1.0, -2.5, 0.5)


def failed(decision):
    return [reason.check for reason in decision.reasons if not reason.passed]


def test_first_candidate_is_promoted(scored, protocol) -> None:
    """Without a champion there is nothing to beat."""
    decision = decide(scored(50.0, 0.5, protocol()), None)
    assert decision.promote
    assert decision.metric == "fid10k"
    assert "no champion yet" in decision.reason
    other = decide(scored(50.0, 0.5, protocol()), None, unrivalled="it draws other classes")
    assert other.reason == other.reasons[0].said == "it draws other classes, so the candidate becomes it with fid10k 50"


@pytest.mark.parametrize(
    ("generated", "reference", "metric", "promote"),
    [(10_000, 10_000, "fid10k", True), (10_000, 1437, "kid10k", False), (2000, 10_000, "kid2k", False)],
)
def test_few_images_are_decided_by_kid(generated, reference, metric, promote, scored, protocol) -> None:
    """The candidate has the better FID and the worse KID; below 2,048 images on a side KID counts."""
    under = protocol(generated, reference)
    difference = BETTER if promote else WORSE
    decision = decide(scored(10.0, 0.3, under), scored(20.0, 0.2, under), difference)
    assert (decision.metric, decision.promote) == (metric, promote)
    both = ("10", "20") if promote else ("0.3", "0.2")
    assert all(number in decision.reason for number in both)


def test_held_out_images_decide_where_there_are_enough(scored, protocol) -> None:
    """Whoever has learnt the training images by heart has the better usual score, and not this one."""
    under = protocol(1000, 1000).model_copy(update={"num_holdout": 362})

    def record(usual, unseen):
        found = scored(1.0, usual, under)
        return found.model_copy(update={"metrics": found.metrics | {"holdout_kid1k": Metric(value=unseen)}})

    decision = decide(record(0.01, 0.3), record(0.1, 0.2), WORSE)
    assert (decision.metric, decision.promote) == ("holdout_kid1k", False)
    assert "the candidate's holdout_kid1k 0.3 is higher than the champion's 0.2" in decision.reason


@pytest.mark.parametrize(
    ("difference", "on_tie", "promote"),
    [
        (BETTER, "champion", True),
        (WORSE, "champion", False),
        (WORSE, "newer", False),
        (TIE, "champion", False),
        (TIE, "newer", True),
    ],
)
def test_only_what_is_lower_by_more_than_chance_is_promoted(difference, on_tie, promote, scored, protocol) -> None:
    """Within chance the champion stays, unless the newer one is asked for; a worse one never passes."""
    both = scored(19.0, 0.1, protocol()), scored(20.0, 0.1, protocol())
    decision = decide(*both, difference, GateConfig(on_tie=on_tie))
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else ["fid10k"])
    assert f"{difference.low:+.3g} to {difference.high:+.3g}" in decision.reason


@pytest.mark.parametrize(
    ("half", "promote"), [(0.7, True), (0.72, False), (None, False)], ids=["narrow", "wide", "none is known"]
)
def test_without_influences_the_scores_are_held_to_be_independent(half, promote, protocol) -> None:
    """Half a width of 0.7 each is 0.99 for a difference of 1, and 0.72 each is 1.02."""

    def record(value):
        ends = {} if half is None else {"low": value - half, "high": value + half}
        return Evaluation(protocol=protocol(), metrics={"fid10k": Metric(value=value, **ends)})

    assert decide(record(19.0), record(20.0)).promote == promote


@pytest.mark.parametrize("name", ["recall", "coverage"])
@pytest.mark.parametrize(("ours", "tolerance", "promote"), [(0.46, 0.05, True), (0.44, 0.05, False), (0.3, 0.25, True)])
def test_variety_may_not_be_lost(name, ours, tolerance, promote, scored, protocol) -> None:
    """A better score does not make up for half the recall."""

    def record(value, share):
        found = scored(value, 0.1, protocol())
        return found.model_copy(update={"metrics": found.metrics | {f"{name}10k": Metric(value=share)}})

    decision = decide(record(10.0, ours), record(20.0, 0.5), BETTER, GateConfig(tolerance=tolerance))
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else [f"{name}10k"])


@pytest.mark.parametrize("champion", [False, True], ids=["the first", "against a champion"])
@pytest.mark.parametrize("name", ["copies", "pixel_copies"])
@pytest.mark.parametrize(
    ("low", "of_holdout", "promote"), [(0.004, 0.0, True), (0.006, 0.0, False), (0.02, 0.03, True), (0.04, 0.03, False)]
)
def test_a_generator_that_copies_stays_challenger(name, low, of_holdout, promote, champion, scored, protocol) -> None:
    """Also where there is no champion: half a per cent are chance, or what the held out images have."""
    found = scored(10.0, 0.1, protocol())
    share = {f"{name}10k": Metric(value=low + 0.01, low=low, high=low + 0.02)}
    record = found.model_copy(
        update={
            "metrics": found.metrics | share,
            "baseline": {f"{name}500": Metric(value=of_holdout)},
            "protocol": found.protocol.model_copy(update={"num_holdout": 500}),
        }
    )
    rival = scored(20.0, 0.2, record.protocol) if champion else None
    decision = decide(record, rival, BETTER)
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else [name])


def test_all_that_stands_against_it_is_said(scored, protocol) -> None:
    """A person does not have to mend one reason after another."""
    ours, theirs = scored(30.0, 0.1, protocol()), scored(20.0, 0.1, protocol())
    ours = ours.model_copy(update={"metrics": ours.metrics | {"recall10k": Metric(value=0.1)}})
    theirs = theirs.model_copy(update={"metrics": theirs.metrics | {"recall10k": Metric(value=0.5)}})
    decision = decide(ours, theirs, WORSE)
    assert failed(decision) == ["fid10k", "recall10k"]
    assert "higher than the champion's 20" in decision.reason
    assert "recall 0.100 is more than 0.05 below the champion's 0.500" in decision.reason


def test_other_protocols_are_refused(scored, protocol) -> None:
    """A champion's score of another dataset is not compared."""
    with pytest.raises(ProtocolMismatchError, match="dataset_md5 d and e"):
        decide(scored(1.0, 0.1, protocol()), scored(2.0, 0.2, protocol(dataset_md5="e")))


def test_missing_metric_is_named(protocol) -> None:
    """An evaluation without the deciding score says which one is missing."""
    record = Evaluation(protocol=protocol(), metrics={"kid10k": Metric(value=0.1)})
    with pytest.raises(InputError, match="no fid10k"):
        decide(record, None)
