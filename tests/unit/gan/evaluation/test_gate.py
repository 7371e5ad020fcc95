"""The decision between a candidate and the champion."""

import pytest

from gan.configuration.config import GateConfig
from gan.errors import InputError, ProtocolMismatchError
from gan.evaluation.gate import decide
from gan.evaluation.reason import Reason
from gan.metrics.estimate import Estimate
from gan.metrics.evaluation import Evaluation, Metric

BETTER, WORSE, TIE = Estimate(-2.0, -3.0, -1.0), Estimate(2.0, 1.0, 3.0), Estimate(-1.0, -2.5, 0.5)


def failed(decision):
    return [reason.check for reason in decision.reasons if not reason.passed]


def covering(record, share, low):
    """The same record with this share of real images near generated ones."""
    coverage = Metric(value=share, low=low, high=min(1.0, 2 * share - low))
    return record.model_copy(update={"metrics": record.metrics | {"coverage10k": coverage}})


def per_class(record, **fields):
    """The same record with these scores by class: values with the half of their interval."""
    found = {
        field: {name: Metric(value=value, low=value - half, high=value + half) for name, (value, half) in given.items()}
        for field, given in fields.items()
    }
    return record.model_copy(update=found)


@pytest.mark.parametrize(("low", "promote"), [(0.2, True), (0.19, False)])
@pytest.mark.parametrize("in_use", [False, True], ids=["the first", "another size"])
def test_where_nothing_is_to_be_beaten_the_lower_end_of_coverage_decides(low, promote, in_use, scored, protocol):
    decision = decide(covering(scored(50.0, 0.5, protocol()), 0.3, low), None, unrivalled="no rival", in_use=in_use)
    assert (decision.promote, decision.metric) == (promote, "fid10k")
    assert failed(decision) == ([] if promote else ["floor"])
    assert decision.reason == decision.reasons[0].said
    if promote:
        assert decision.reason.startswith("no rival, so the candidate becomes it with fid10k 50, and coverage10k 0.300")
    else:
        assert "coverage10k 0.300 (0.190 to 0.410) is not clearly above gate.floor 0.2" in decision.reason
        assert "ganflow promote VERSION --force --reason" in decision.reason


def test_the_floor_is_that_of_the_configuration(scored, protocol):
    record = covering(scored(50.0, 0.5, protocol()), 0.8, 0.7)
    assert decide(record, None, gate=GateConfig(floor=0.7)).promote
    assert not decide(record, None, gate=GateConfig(floor=0.71)).promote
    assert "there is no champion yet" in decide(record, None).reason


def test_a_candidate_whose_coverage_was_not_measured_waits_for_a_person(scored, protocol):
    decision = decide(scored(50.0, 0.5, protocol()), None)
    assert failed(decision) == ["floor"]
    assert "was not measured" in decision.reason


def test_without_a_floor_a_candidate_becomes_the_first_champion_and_is_called_a_rehearsal(scored, protocol):
    """Whatever it is like, but it takes no place of another that it cannot be compared with."""
    rehearsal = GateConfig(floor=0)
    record = per_class(covering(scored(50.0, 0.5, protocol()), 0.0, 0.0), variety={"a": (0.9, 0), "b": (0.1, 0)})
    first = decide(record, None, gate=rehearsal)
    assert first.promote
    assert "as a rehearsal: gate.floor is 0" in first.reason
    assert "b (0.10 of real images')" in first.reasons[1].said
    other = decide(record, None, gate=rehearsal, unrivalled="the champion makes 32x32 px", in_use=True)
    assert failed(other) == ["floor", "variety"]
    assert "the champion makes 32x32 px, and with gate.floor=0 nothing says" in other.reason


@pytest.mark.parametrize(
    ("ours", "theirs", "promote"),
    [
        ((0.26, 0.9), (0.9, 0.9), True),
        ((0.24, 0.9), (0.9, 0.9), False),
        ((0.24, 0.9), (0.2, 0.9), True),
        ((0.24, 0.9), (0.9, 0.2), False),
        ((0.24, 0.9), None, False),
        ((0.9, 0.9), None, True),
    ],
)
def test_no_class_may_lose_its_variety(ours, theirs, promote, scored, protocol):
    """Below a quarter of the real images' it has; what the champion has lost as well is no reason against it."""

    def record(found):
        return {"variety": {name: (value, 0.0) for name, value in zip("ab", found, strict=True)}} if found else {}

    candidate = per_class(scored(10.0, 0.1, protocol()), **record(ours))
    champion = per_class(scored(20.0, 0.2, protocol()), **record(theirs))
    decision = decide(candidate, champion, BETTER)
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else ["variety"])
    if not promote:
        assert "a (0.24 of real images')" in decision.reason
    alone = decide(covering(candidate, 0.9, 0.8), None)
    assert alone.promote == (ours[0] > 0.25)


@pytest.mark.parametrize(
    ("kid", "half", "classes", "tolerance", "promote"),
    [
        (0.10, 0.01, 1, 0.02, False),
        (0.065, 0.01, 1, 0.02, True),
        (0.065, 0.01, 1, 0.01, False),
        (0.08, 0.02, 1, 0.02, False),
        (0.08, 0.02, 10, 0.02, True),
        (0.10, 0.02, 10, 0.02, False),
    ],
)
def test_no_class_may_be_worse_by_more_than_chance(kid, half, classes, tolerance, promote, scored, protocol):
    """Against 0.05 with the same interval: two halves of 0.02 are 0.028 for one class, and 0.041 for one of ten."""
    rest = {str(number): (0.05, half) for number in range(classes)}
    candidate = per_class(scored(10.0, 0.1, protocol()), per_class=rest | {"0": (kid, half)})
    champion = per_class(scored(20.0, 0.2, protocol()), per_class=rest)
    decision = decide(candidate, champion, BETTER, GateConfig(class_tolerance=tolerance))
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else ["classes"])
    if not promote:
        assert f"KID of its class 0 ({kid:.4g} against 0.05" in decision.reason


def test_many_classes_with_long_names_are_a_sentence_of_bounded_length(scored, protocol):
    names = [f"{number:03d}" + "x" * 1000 for number in range(100)]
    fields = {"per_class": dict.fromkeys(names, (0.9, 0.01)), "variety": dict.fromkeys(names, (0.1, 0.0))}
    champion = per_class(scored(20.0, 0.2, protocol()), per_class=dict.fromkeys(names, (0.1, 0.01)))
    decision = decide(per_class(scored(10.0, 0.1, protocol()), **fields), champion, BETTER)
    assert failed(decision) == ["variety", "classes"]
    assert "and 95 more" in decision.reason
    assert max(len(each.said) for each in decision.reasons) < 1000


@pytest.mark.parametrize(("ours", "promote"), [(0.75, True), (0.7, False)])
@pytest.mark.parametrize("name", ["cas", "rare_recall_gain"])
def test_usefulness_may_not_be_lower_where_both_were_measured(name, ours, promote, scored, protocol):
    """Half intervals of 0.05 and 0.05 are 0.071 for the difference from 0.8."""

    def record(value, found):
        share = {f"{name}10k": Metric(value=found, low=found - 0.05, high=found + 0.05)}
        plain = scored(value, 0.1, protocol())
        return plain.model_copy(update={"metrics": plain.metrics | share})

    decision = decide(record(10.0, ours), record(20.0, 0.8), BETTER)
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else [f"{name}10k"])
    assert decide(record(10.0, 0.1), scored(20.0, 0.2, protocol()), BETTER).promote


def test_a_recall_of_fewer_images_than_were_generated_counts_all_the_same(scored, protocol):
    """Neighbours are counted among 10,000 images at most."""

    def record(value, recall):
        plain = scored(value, 0.1, protocol(generated=50_000))
        return plain.model_copy(update={"metrics": plain.metrics | {"recall10k": Metric(value=recall)}})

    assert failed(decide(record(10.0, 0.1), record(20.0, 0.5), BETTER)) == ["recall10k"]


def test_one_more_look_can_only_refuse(scored, protocol):
    good = decide(scored(10.0, 0.1, protocol()), scored(20.0, 0.2, protocol()), BETTER)
    bad = decide(scored(20.0, 0.2, protocol()), scored(10.0, 0.1, protocol()), WORSE)
    fine, broken = (Reason(check="program", passed=passed, said="the program") for passed in (True, False))
    assert (good.also(fine).promote, good.also(fine).reason) == (True, good.reason)
    assert (good.also(broken).promote, good.also(broken).reason) == (False, "the program")
    assert bad.also(broken).reason == f"{bad.reason}; the program"
    assert [bad.also(fine).promote, bad.also(broken).promote] == [False, False]
    assert bad.also(fine).reasons[-1] == fine


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
def test_without_influences_the_scores_are_held_to_be_independent(half, promote, scored, protocol) -> None:
    """Half a width of 0.7 each is 0.99 for a difference of 1, and 0.72 each is 1.02."""

    def record(value):
        ends = {} if half is None else {"low": value - half, "high": value + half}
        plain = scored(value, 0.1, protocol())
        return plain.model_copy(update={"metrics": plain.metrics | {"fid10k": Metric(value=value, **ends)}})

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
            "baseline": found.baseline | {f"{name}500": Metric(value=of_holdout)},
        }
    )
    rival = scored(20.0, 0.2, record.protocol) if champion else None
    decision = decide(covering(record, 0.9, 0.8), rival, BETTER)
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else [name])


def among_themselves(record, training, **figures):
    """The same record with nobody held out; figures: values with the half of their interval, and the control's."""
    key = "{}10k".format
    ours = {key(name): Metric(value=v, low=v - half, high=v + half) for name, (v, half, _) in figures.items()}
    theirs = {f"{name}{training}": Metric(value=control) for name, (_, _, control) in figures.items()}
    metrics = {name: value for name, value in record.metrics.items() if name != "copies10k"} | ours
    protocol = record.protocol.model_copy(update={"num_training": training, "num_holdout": 14})
    return record.model_copy(update={"metrics": metrics, "baseline": theirs, "protocol": protocol})


@pytest.mark.parametrize(
    ("figure", "found", "promote"),
    [
        ("copies", (0.02, 0.016, 0.0), True),
        ("copies", (0.02, 0.014, 0.0), False),
        ("pixel_nearer", (0.7, 0.15, 0.56), True),
        ("pixel_nearer", (0.7, 0.13, 0.56), False),
    ],
)
def test_with_few_held_out_training_images_among_themselves_are_the_control(figure, found, promote, scored, protocol):
    """The first reason that is against it says which control it was."""
    record = covering(among_themselves(scored(10.0, 0.1, protocol()), 56, **{figure: found}), 0.9, 0.8)
    decision = decide(record, None)
    assert decision.promote == promote
    assert failed(decision) == ([] if promote else [figure])
    told = {"copies": "of training images among themselves", "pixel_nearer": "one another in 70.0% of pairs, by pixels"}
    assert told[figure] in decision.reasons[1].said


@pytest.mark.parametrize("champion", [False, True], ids=["the first", "against a champion"])
@pytest.mark.parametrize("training", [19, 56], ids=["too few", "not looked at"])
def test_a_generator_whose_copies_nobody_looked_at_waits_for_a_person(champion, training, scored, protocol):
    record = covering(among_themselves(scored(10.0, 0.1, protocol()), training), 0.9, 0.8)
    rival = scored(20.0, 0.2, record.protocol) if champion else None
    decision = decide(record, rival, BETTER)
    assert failed(decision) == ["copies"]
    assert "ganflow promote VERSION --force --reason" in decision.reason
    assert ("19 training and 14 held out images" in decision.reason) == (training == 19)
    # a rehearsal may be of so few images, but takes nobody's place
    assert decide(record, rival, BETTER, GateConfig(floor=0)).promote != champion
    assert not decide(record, None, gate=GateConfig(floor=0), in_use=True).promote


def test_all_that_stands_against_it_is_said(scored, protocol) -> None:
    """A person does not have to mend one reason after another."""
    ours, theirs = scored(30.0, 0.1, protocol()), scored(20.0, 0.1, protocol())
    ours = ours.model_copy(update={"metrics": ours.metrics | {"recall10k": Metric(value=0.1)}})
    theirs = theirs.model_copy(update={"metrics": theirs.metrics | {"recall10k": Metric(value=0.5)}})
    decision = decide(ours, theirs, WORSE)
    assert failed(decision) == ["fid10k", "recall10k"]
    assert "higher than the champion's 20" in decision.reason
    assert "recall 0.100 is more than 0.05 below the champion's 0.500" in decision.reason


@pytest.mark.parametrize(
    ("kid", "difference", "other", "disagrees"),
    [
        (0.1, BETTER, 0.5, True),
        (0.1, BETTER, 0.2, False),
        (0.1, BETTER, 0.29, False),
        (0.3, WORSE, 0.2, True),
        (0.3, WORSE, 0.5, False),
    ],
)
def test_another_network_is_heard_and_decides_nothing(kid, difference, other, disagrees, scored, protocol):
    """Its champion has 0.3 ± 0.05; within chance it says nothing."""

    def opinion(value):
        under = protocol(network="dino")
        return Evaluation(
            protocol=under, metrics={"kd_dino_10k": Metric(value=value, low=value - 0.05, high=value + 0.05)}
        )

    alone = decide(scored(kid, kid, protocol()), scored(0.2, 0.2, protocol()), difference)
    found = alone.with_opinion(opinion(other), opinion(0.3))
    assert (found.promote, found.reason) == (alone.promote, alone.reason)
    assert found.reasons[-1].check == "networks"
    assert ("disagrees about who is better" in found.reasons[-1].said) == disagrees
    assert alone.with_opinion(scored(1.0, 1.0, protocol()), scored(1.0, 1.0, protocol())) == alone


def test_other_protocols_are_refused(scored, protocol) -> None:
    """A champion's score of another dataset is not compared."""
    with pytest.raises(ProtocolMismatchError, match="dataset_md5 d and e"):
        decide(scored(1.0, 0.1, protocol()), scored(2.0, 0.2, protocol(dataset_md5="e")))


def test_missing_metric_is_named(protocol) -> None:
    """An evaluation without the deciding score says which one is missing."""
    record = Evaluation(protocol=protocol(), metrics={"kid10k": Metric(value=0.1)})
    with pytest.raises(InputError, match="no fid10k"):
        decide(record, None)
