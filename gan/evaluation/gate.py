"""The gate: whether a candidate takes the place of the champion, and why."""

import math

from gan.configuration.config import Frozen, GateConfig
from gan.errors import InputError
from gan.evaluation.copy_shares import FEATURES, PIXELS, beyond_chance
from gan.metrics.estimate import Estimate
from gan.metrics.evaluation import Evaluation, Metric, deciding_key, metric_key
from gan.metrics.protocol import require_equal

NOT_LOWER = ("recall", "coverage")
_AS_USUAL = GateConfig()


class Reason(Frozen):
    """What one look at a candidate says."""

    check: str
    passed: bool
    said: str


class Decision(Frozen):
    """Whether the candidate becomes champion, by which metric, and why: what stood against it, or else for it."""

    promote: bool
    metric: str
    reason: str
    reasons: tuple[Reason, ...] = ()


def decide(
    candidate: Evaluation,
    champion: Evaluation | None,
    difference: Estimate | None = None,
    gate: GateConfig = _AS_USUAL,
    *,
    unrivalled: str = "there is no champion yet",
) -> Decision:
    """Let a candidate pass that is better than the champion by more than chance, loses no variety and copies nothing.

    Which score decides is said by `deciding_key`: where images are held out, one against these.

    Args:
        candidate: its scores.
        champion: those of the champion under the same protocol; None where nothing is to be beaten.
        difference: the candidate's deciding score minus the champion's, as `paired_difference` has it; None where the
            influences of one are lost: the interval is then that of two independent scores, which is wider.
        gate: how much is asked for.
        unrivalled: why there is nothing to be beaten, where there is no champion to compare with.

    Raises:
        ProtocolMismatchError: the two evaluations hold under different protocols.
        InputError: an evaluation lacks the metric that decides.
    """
    protocol = candidate.protocol
    key = deciding_key(candidate)
    score = _metric(candidate, key)
    reasons = _copies(candidate)
    if champion is None:
        told = f"{unrivalled}, so the candidate becomes it with {key} {score.value:.6g}"
        reasons = [Reason(check=key, passed=True, said=told), *reasons]
    else:
        require_equal(protocol, champion.protocol)
        rival = _metric(champion, key)
        reasons = [
            _score(key, score, rival, difference or _independent(score, rival), gate),
            *_variety(candidate, champion, gate),
            *reasons,
        ]
    against = [reason.said for reason in reasons if not reason.passed]
    return Decision(
        promote=not against, metric=key, reason="; ".join(against or [reasons[0].said]), reasons=tuple(reasons)
    )


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


def _variety(candidate: Evaluation, champion: Evaluation, gate: GateConfig) -> list[Reason]:
    reasons = []
    for name in NOT_LOWER:
        key = metric_key(name, candidate.protocol.num_generated)
        if key in candidate.metrics and key in champion.metrics:
            ours, theirs = candidate.metrics[key].value, champion.metrics[key].value
            passed = ours >= theirs - gate.tolerance
            verdict = "keeps up with" if passed else f"is more than {gate.tolerance:g} below"
            reasons.append(
                Reason(check=key, passed=passed, said=f"its {name} {ours:.3f} {verdict} the champion's {theirs:.3f}")
            )
    return reasons


def _copies(candidate: Evaluation) -> list[Reason]:
    protocol, reasons = candidate.protocol, []
    for name, how in ((FEATURES, "by features"), (PIXELS, "by pixels")):
        share = candidate.metrics.get(metric_key(name, protocol.num_generated))
        real = candidate.baseline.get(metric_key(name, protocol.num_holdout))
        if share is not None and share.low is not None and real is not None:
            copied = beyond_chance(share.low, real.value)
            said = (
                f"{share.value:.1%} of its images are near copies of training images {how}, "
                f"{'more than' if copied else 'as chance explains, with'} {real.value:.1%} of held out ones"
            )
            reasons.append(Reason(check=name, passed=not copied, said=said))
    return reasons


def _independent(a: Metric, b: Metric) -> Estimate:
    value = a.value - b.value
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Estimate(value=value, low=-math.inf, high=math.inf)
    return Estimate(
        value=value,
        low=value - math.hypot(a.value - a.low, b.high - b.value),
        high=value + math.hypot(a.high - a.value, b.value - b.low),
    )


def _metric(evaluation: Evaluation, key: str) -> Metric:
    if key not in evaluation.metrics:
        raise InputError(f"the evaluation has no {key}, which decides here, but only {', '.join(evaluation.metrics)}")
    return evaluation.metrics[key]
