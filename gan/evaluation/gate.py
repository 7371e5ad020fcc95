"""The gate: whether a candidate takes the place of the champion, and why."""

import math
import re
from collections.abc import Sequence
from typing import Self

from gan.configuration.config import Frozen, GateConfig
from gan.errors import InputError
from gan.evaluation.class_looks import classes_kept, variety_kept
from gan.evaluation.copy_shares import FEATURES, NEARER, copy_figures
from gan.evaluation.reason import BY_HAND, Reason, with_ends
from gan.metrics.copy_control import MIN_CONTROL, Control, control_of
from gan.metrics.estimate import Estimate
from gan.metrics.evaluation import Evaluation, Metric, deciding_key, metric_key
from gan.metrics.protocol import Protocol, require_equal

FLOOR = "floor"
NOT_LOWER = ("recall", "coverage")
USEFULNESS = ("cas", "rare_recall_gain")
_AS_USUAL = GateConfig()


class Decision(Frozen):
    """Whether the candidate becomes champion, by which metric, and why: what stood against it, or else for it."""

    promote: bool
    metric: str
    reason: str
    reasons: tuple[Reason, ...] = ()

    @classmethod
    def of(cls, metric: str, reasons: Sequence[Reason]) -> Self:
        """Promote where nothing stands against it; the first reason is what stands for it."""
        against = [reason.said for reason in reasons if not reason.passed]
        told = "; ".join(against or [reasons[0].said])
        return cls(promote=not against, metric=metric, reason=told, reasons=tuple(reasons))

    def with_opinion(self, ours: Evaluation, theirs: Evaluation) -> "Decision":
        """Return the decision with what another feature network says of the two, which decides nothing."""
        found = _opinion(ours, theirs, against=not self.reasons[0].passed)
        return self.also(found) if found else self

    def also(self, reason: Reason) -> "Decision":
        """Return the decision after one more look."""
        if reason.passed or not self.promote:
            told = self.reason if reason.passed else f"{self.reason}; {reason.said}"
            return self.model_copy(update={"reason": told, "reasons": (*self.reasons, reason)})
        return Decision.of(self.metric, [*self.reasons, reason])


def decide(
    candidate: Evaluation,
    champion: Evaluation | None,
    difference: Estimate | None = None,
    gate: GateConfig = _AS_USUAL,
    *,
    unrivalled: str = "there is no champion yet",
    in_use: bool = False,
) -> Decision:
    """Let a candidate pass that is better than the champion by more than chance, loses no variety and copies nothing.

    Which score decides is said by `deciding_key`: where images are held out, one against these. Where there is
    no champion to compare with, the candidate has to be of some use by itself, or a person decides. A person also
    decides where nobody could look for copies, but in a rehearsal.

    Args:
        candidate: its scores.
        champion: those of the champion under the same protocol; None where nothing is to be beaten.
        difference: the candidate's deciding score minus the champion's, as `paired_difference` has it; None where the
            influences of one are lost: the interval is then that of two independent scores, which is wider.
        gate: how much is asked for.
        unrivalled: why there is nothing to be beaten, where there is no champion to compare with.
        in_use: there is a champion, which cannot be compared and would lose its place.

    Raises:
        ProtocolMismatchError: the two evaluations hold under different protocols.
        InputError: an evaluation lacks the metric that decides.
    """
    protocol = candidate.protocol
    key = deciding_key(candidate)
    score = _metric(candidate, key)
    rehearsal = champion is None and not gate.floor and not in_use
    if champion is None:
        looks = [_floor(candidate, f"{key} {score.value:.6g}", gate, unrivalled, in_use=in_use)]
        looks += variety_kept(candidate, None, rehearsal=rehearsal)
    else:
        require_equal(protocol, champion.protocol)
        rival = _metric(champion, key)
        looks = [
            _score(key, score, rival, difference or _independent(score, rival), gate),
            *_not_lower(candidate, champion, gate),
            *variety_kept(candidate, champion),
            *classes_kept(candidate, champion, gate),
            *_usefulness(candidate, champion),
        ]
    return Decision.of(key, [*looks, *_copies(candidate, rehearsal=rehearsal)])


def _floor(candidate: Evaluation, score: str, gate: GateConfig, unrivalled: str, *, in_use: bool) -> Reason:
    """Look whether a candidate that has no rival is of use: how many real images have a generated one near by."""
    if not gate.floor:
        if in_use:
            said = f"{unrivalled}, and with gate.floor=0 nothing says whether the candidate is of use: {BY_HAND}"
            return Reason(check=FLOOR, passed=False, said=said)
        said = f"{unrivalled}, so the candidate becomes it with {score}, as a rehearsal: gate.floor is 0"
        return Reason(check=FLOOR, passed=True, said=said)
    key, share = _named(candidate, "coverage")
    if share is None or share.low is None:
        said = f"{unrivalled}, and coverage, by which the candidate would become it, was not measured: {BY_HAND}"
        return Reason(check=FLOOR, passed=False, said=said)
    passed, mark = share.low >= gate.floor, f"above gate.floor {gate.floor:g}"
    if passed:
        said = f"so the candidate becomes it with {score}, and {key} {with_ends(share)} is {mark}"
    else:
        said = f"and the candidate's {key} {with_ends(share)} is not clearly {mark}: {BY_HAND}"
    return Reason(check=FLOOR, passed=passed, said=f"{unrivalled}, {said}")


def _score(key: str, score: Metric, rival: Metric, difference: Estimate, gate: GateConfig) -> Reason:
    both = f"the candidate's {key} {score.value:.6g}"
    theirs = f"the champion's {rival.value:.6g} ({difference.low:+.3g} to {difference.high:+.3g})"
    if difference.high < 0.0:
        return Reason(check=key, passed=True, said=f"{both} is lower than {theirs}")
    if difference.low > 0.0:
        return Reason(check=key, passed=False, said=f"{both} is higher than {theirs}")
    newer = gate.on_tie == "newer"
    stays = "so the newer one takes its place (gate.on_tie)" if newer else "so the champion stays"
    return Reason(check=key, passed=newer, said=f"{both} differs by no more than chance from {theirs}, {stays}")


def _not_lower(candidate: Evaluation, champion: Evaluation, gate: GateConfig) -> list[Reason]:
    reasons = []
    for name in NOT_LOWER:
        key, ours = _named(candidate, name)
        theirs = champion.metrics.get(key)
        if ours is not None and theirs is not None:
            passed = ours.value >= theirs.value - gate.tolerance
            verdict = "keeps up with" if passed else f"is more than {gate.tolerance:g} below"
            said = f"its {name} {ours.value:.3f} {verdict} the champion's {theirs.value:.3f}"
            reasons.append(Reason(check=key, passed=passed, said=said))
    return reasons


def _copies(candidate: Evaluation, *, rehearsal: bool) -> list[Reason]:
    protocol = candidate.protocol
    control = control_of(protocol.num_training, protocol.num_holdout)
    count = protocol.num_holdout if control is Control.HELD_OUT else protocol.num_training
    ours, theirs = (
        {name: found[key] for name in (*NEARER, *NEARER.values()) if (key := metric_key(name, images)) in found}
        for found, images in ((candidate.metrics, protocol.num_generated), (candidate.baseline, count))
    )
    reasons = [
        Reason(
            check=each.name,
            passed=not each.shown,
            said=f"{each.said}: {'more than chance explains' if each.shown else 'as chance explains'}",
        )
        for each in copy_figures(ours, theirs, control)
    ]
    return reasons or [_never_looked_for(protocol, rehearsal=rehearsal)]


def _never_looked_for(protocol: Protocol, *, rehearsal: bool) -> Reason:
    said = "whether it copies training images was not looked at when it was evaluated"
    if control_of(protocol.num_training, protocol.num_holdout) is None:
        there = f"{protocol.num_training} training and {protocol.num_holdout} held out images"
        said = f"whether it copies training images cannot be told by {there}, and {MIN_CONTROL} of either are needed"
    return Reason(check=FEATURES, passed=rehearsal, said=f"{said}: {'a rehearsal' if rehearsal else BY_HAND}")


def _usefulness(candidate: Evaluation, champion: Evaluation) -> list[Reason]:
    reasons = []
    for name in USEFULNESS:
        key, ours = _named(candidate, name)
        theirs = champion.metrics.get(key)
        if ours is not None and theirs is not None:
            passed = _independent(ours, theirs).high >= 0.0
            verdict = "is lower by no more than chance than" if passed else "is lower by more than chance than"
            said = f"its {key} {with_ends(ours)} {verdict} the champion's {with_ends(theirs)}"
            reasons.append(Reason(check=key, passed=passed, said=said))
    return reasons


def _opinion(ours: Evaluation, theirs: Evaluation, *, against: bool) -> Reason | None:
    key = next((key for key in ours.metrics if key.startswith("kd_") and key in theirs.metrics), None)
    if key is None:
        return None
    require_equal(ours.protocol, theirs.protocol)
    difference = _independent(ours.metrics[key], theirs.metrics[key])
    better, worse = difference.high < 0.0, difference.low > 0.0
    both = f"{ours.metrics[key].value:.6g} for the candidate and {theirs.metrics[key].value:.6g} for the champion"
    if (better and against) or (worse and not against):
        said = f"another network disagrees about who is better: {key} is {both}"
    else:
        said = f"another network does not disagree: {key} is {both}"
    return Reason(check="networks", passed=True, said=said)


def _independent(a: Metric, b: Metric) -> Estimate:
    value = a.value - b.value
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Estimate(value=value, low=-math.inf, high=math.inf)
    return Estimate(
        value=value,
        low=value - math.hypot(a.value - a.low, b.high - b.value),
        high=value + math.hypot(a.high - a.value, b.value - b.low),
    )


def _named(evaluation: Evaluation, name: str) -> tuple[str, Metric | None]:
    """Find a score whose key may carry fewer images than were generated: neighbours are counted among 10,000."""
    found = ((key, metric) for key, metric in evaluation.metrics.items() if re.fullmatch(rf"{name}[0-9]+k?", key))
    return next(found, (name, None))


def _metric(evaluation: Evaluation, key: str) -> Metric:
    if key not in evaluation.metrics:
        raise InputError(f"the evaluation has no {key}, which decides here, but only {', '.join(evaluation.metrics)}")
    return evaluation.metrics[key]
