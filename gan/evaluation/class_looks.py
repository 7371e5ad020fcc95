"""The gate's looks at single classes: none has lost its variety, none has become clearly worse."""

import math
from collections.abc import Sequence
from statistics import NormalDist

from gan.configuration.config import GateConfig
from gan.evaluation.reason import BY_HAND, Reason
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.variety import COLLAPSED

VARIETY, CLASSES = "variety", "classes"
_CONFIDENCE = 0.95
_NAMED, _OF_A_NAME = 5, 40  # classes in a sentence, and characters of each


def variety_kept(candidate: Evaluation, champion: Evaluation | None, *, rehearsal: bool = False) -> list[Reason]:
    """Say whether a class has lost its variety that the champion's has; nothing where that was not measured.

    Args:
        candidate: its scores.
        champion: those of the champion; None where there is none, or none that can be compared.
        rehearsal: a collapsed class of a candidate without a rival is said, and nothing more.
    """
    if not candidate.variety:
        return []
    collapsed = _collapsed(candidate)
    of_both = set(_collapsed(champion)) if champion else set()
    new = [name for name in collapsed if name not in of_both]
    if not new:
        lost = "no class has lost its variety" + (" that the champion's has" if collapsed else "")
        name, metric = min(candidate.variety.items(), key=lambda item: item[1].value)
        said = f"{lost}: the least is {metric.value:.2f} of real images', that of {_short(name)}"
        return [Reason(check=VARIETY, passed=True, said=said)]
    told = [f"{_short(name)} ({candidate.variety[name].value:.2f} of real images')" for name in new]
    said = f"below {COLLAPSED:g} of real images' variety {'is' if len(new) == 1 else 'are'} {_listed(told)}"
    if champion is None:
        said += ", which a rehearsal may be" if rehearsal else f": {BY_HAND}"
    return [Reason(check=VARIETY, passed=rehearsal and champion is None, said=said)]


def classes_kept(candidate: Evaluation, champion: Evaluation, gate: GateConfig) -> list[Reason]:
    """Say whether the KID of a class is worse than the champion's by more than chance and more than the tolerance.

    The intervals of all classes hold at once (Bonferroni): of many classes one is always worse by chance. They are
    those of two independent scores, which is cautious, since both were scored against the same real images.
    """
    pairs = {
        name: (ours, champion.per_class[name])
        for name, ours in candidate.per_class.items()
        if name in champion.per_class and _half(ours) is not None and _half(champion.per_class[name]) is not None
    }
    if not pairs:
        return []
    widening = _quantile(len(pairs)) / _quantile(1)
    worse = []
    for name, (ours, theirs) in pairs.items():
        difference = ours.value - theirs.value
        chance = widening * math.hypot(_half(ours) or 0.0, _half(theirs) or 0.0)
        if difference > max(chance, gate.class_tolerance):
            worse.append(
                f"{_short(name)} ({ours.value:.4g} against {theirs.value:.4g}, by chance up to {chance:.2g} apart)"
            )
    if worse:
        beyond = f"by more than chance and gate.class_tolerance {gate.class_tolerance:g}"
        said = f"the KID of its {'class' if len(worse) == 1 else 'classes'} {_listed(worse)} is worse {beyond}"
        return [Reason(check=CLASSES, passed=False, said=said)]
    said = f"of {len(pairs)} classes none has a KID that is worse by more than chance and {gate.class_tolerance:g}"
    return [Reason(check=CLASSES, passed=True, said=said)]


def _collapsed(evaluation: Evaluation) -> list[str]:
    return [name for name, metric in evaluation.variety.items() if metric.value < COLLAPSED]


def _half(metric: Metric) -> float | None:
    return None if metric.low is None or metric.high is None else (metric.high - metric.low) / 2


def _quantile(classes: int) -> float:
    return NormalDist().inv_cdf(1.0 - (1.0 - _CONFIDENCE) / (2 * classes))


def _short(name: str) -> str:
    return name if len(name) <= _OF_A_NAME else f"{name[: _OF_A_NAME - 1]}…"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
