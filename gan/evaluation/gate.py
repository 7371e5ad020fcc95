"""The gate: whether a candidate takes the place of the champion, and why."""

from gan.configuration.config import Frozen
from gan.errors import InputError
from gan.metrics.evaluation import MIN_IMAGES_FOR_FID, Evaluation, metric_key
from gan.metrics.protocol import Protocol, require_equal


class Decision(Frozen):
    """Whether the candidate becomes champion, by which metric, and why."""

    promote: bool
    metric: str
    reason: str


def decide(candidate: Evaluation, champion: Evaluation | None) -> Decision:
    """Compare by FID, or by KID below 2,048 generated or reference images; only a lower score is promoted.

    Raises:
        ProtocolMismatchError: the two evaluations hold under different protocols.
        InputError: an evaluation lacks the metric that decides.
    """
    name = "kid" if _too_few_for_fid(candidate.protocol) else "fid"
    key = metric_key(name, candidate.protocol.num_generated)
    value = _value(candidate, key)
    if champion is None:
        reason = f"there is no champion yet, so the candidate becomes it with {key} {value:.6g}"
        return Decision(promote=True, metric=key, reason=reason)
    require_equal(candidate.protocol, champion.protocol)
    best = _value(champion, key)
    verdict = "is lower than" if value < best else "is not lower than"
    reason = f"the candidate's {key} {value:.6g} {verdict} the champion's {best:.6g}"
    return Decision(promote=value < best, metric=key, reason=reason)


def _too_few_for_fid(protocol: Protocol) -> bool:
    """Say whether a side has so few images that KID decides."""
    return min(protocol.num_generated, protocol.num_reference) < MIN_IMAGES_FOR_FID


def _value(evaluation: Evaluation, key: str) -> float:
    if key not in evaluation.metrics:
        raise InputError(f"the evaluation has no {key}, which decides here, but only {', '.join(evaluation.metrics)}")
    return evaluation.metrics[key].value
