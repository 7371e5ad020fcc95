"""Whether a release is fit to be handed on: its figures against its model's, its classes, copies and duplicates."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist

from gan.configuration.config import Frozen, GateConfig
from gan.data.near_duplicates.near_threshold import LEVEL
from gan.evaluation.class_looks import classes_kept, variety_kept
from gan.evaluation.gate import USEFULNESS
from gan.evaluation.reason import Reason, with_ends
from gan.metrics.copy_control import MIN_CONTROL, Control
from gan.metrics.evaluation import HOLDOUT, Evaluation, Metric
from gan.privacy.audit import PrivacyAudit
from gan.release.duplicates import EXACT, EXACT_EARLIER, NEAR, NEAR_EARLIER, Duplicates
from gan.release.labels import Mistaken, told
from gan.release.near_copies import EXACT_COPY, NEAR_COPY, SHIFTED_COPY, CopyLook, CopyThresholds

BALANCE, LABELS, DUPLICATES, COPIES = "balance", "labels", "duplicates", "copies of training images"
SCORE_TOLERANCE = 0.1
"""By which share FID and KID may be higher than the model's."""
CHANCE = 0.01
"""That one of the figures of a release like its model fails, all figures together."""

_SCORES = rf"(?:{HOLDOUT})?(?:fid|kid|f?kd_.+_|fd_.+_)"
_SHARES = ("precision", "recall", *USEFULNESS)
_UNBIASED = rf"(?:{HOLDOUT})?(?:kid|kd_.+_)"
_SHOWN = 5
_AS_USUAL = GateConfig()


class Check(Reason):
    """What one look at a release says, with its numbers where it has some.

    Attributes:
        value: of the release.
        registered: of the model, or what was asked for.
        low: lower end of the interval of their difference, release less model.
        high: upper end.
        tolerance: by how much the release may be worse.
    """

    value: float | None = None
    registered: float | None = None
    low: float | None = None
    high: float | None = None
    tolerance: float | None = None

    @classmethod
    def of(cls, reason: Reason) -> "Check":
        """Take over what another look says."""
        return cls(**reason.model_dump())


class ReleaseLook(Frozen):
    """All that was looked at."""

    checks: tuple[Check, ...]

    @property
    def fit(self) -> bool:
        """Whether nothing stands against the release."""
        return all(check.passed for check in self.checks)

    @property
    def against(self) -> tuple[str, ...]:
        """What stands against it, in sentences."""
        return tuple(check.said for check in self.checks if not check.passed)


def figure_checks(release: Evaluation, registered: Evaluation, gate: GateConfig = _AS_USUAL) -> list[Check]:
    """Compare FID, KID, precision, recall and what else both have, and the classes.

    A figure fails that is worse than the model's by more than chance and more than the tolerance: `SCORE_TOLERANCE` of
    the model's for scores, `gate.tolerance` for shares. The intervals of all figures hold at once (Bonferroni), and
    are those of two independent sets, which is cautious, since both were scored against the same real images. Scores
    that move with the number of images are compared only where it is the same.

    Args:
        release: of `release_evaluation`, with `cas` where it was measured.
        registered: the model's.
        gate: tolerances.
    """
    pairs = list(_pairs(release, registered))
    widening = _quantile(CHANCE / (2 * max(1, len(pairs)))) / _quantile(0.025)
    figures = [_figure(key, ours, theirs, widening, gate) for key, ours, theirs in pairs]
    if not figures:
        figures = [Check(check="figures", passed=True, said=_nothing_to_compare(release, registered))]
    classes = [*variety_kept(release, registered), *classes_kept(release, registered, gate)]
    return [*figures, *(Check.of(reason) for reason in classes)]


def balance_check(counts: Mapping[int, int], quotas: Mapping[int, int], class_names: Sequence[str]) -> Check:
    """Say whether each class has exactly as many images as were asked for.

    Args:
        counts: images by label, -1 for none.
        quotas: likewise; a label that is not there stands for 0.
        class_names: by label.
    """
    labels = sorted(counts.keys() | quotas.keys())
    pairs = {label: (counts.get(label, 0), quotas.get(label, 0)) for label in labels}
    wrong = [
        f"{_name(label, class_names)} has {there:,} images, not {asked:,}"
        for label, (there, asked) in pairs.items()
        if there != asked
    ]
    said = _listed(wrong) if wrong else f"each of {len(labels)} classes has exactly as many images as were asked for"
    return Check(
        check=BALANCE,
        passed=not wrong,
        said=said,
        value=float(sum(counts.values())),
        registered=float(sum(quotas.values())),
        tolerance=0.0,
    )


def label_check(mistaken: Sequence[Mistaken], class_names: Sequence[str]) -> Check:
    """Say whether the images of each class look like it, to a classifier that has learnt from real images."""
    if mistaken:
        said = f"labels seem to be swapped: {told(mistaken[:_SHOWN], class_names)}"
    else:
        said = "no class looks like another one to a classifier that has learnt from real images"
    return Check(check=LABELS, passed=not mistaken, said=said, value=float(len(mistaken)), registered=0.0)


def duplicate_checks(found: Duplicates, count: int) -> list[Check]:
    """Say whether images are left that repeat others: no equal ones, and no more near ones than honest images have.

    Args:
        found: in the finished release.
        count: images of the release.
    """
    checks = []
    for exact, near, whose in ((EXACT, NEAR, "one another"), (EXACT_EARLIER, NEAR_EARLIER, "an earlier release's")):
        equal, alike = found.counts[exact], found.counts[near]
        share = alike / max(1, count)
        most = _most_by_chance(count * LEVEL)
        said = f"{equal:,} of its images equal {whose}, and {alike:,} nearly do"
        said += f" (up to {most:,} by chance)" if equal + alike else ""
        check = DUPLICATES if exact == EXACT else f"{DUPLICATES} of earlier releases"
        passed = not equal and alike <= most
        checks.append(Check(check=check, passed=passed, said=said, value=share, registered=0.0, tolerance=LEVEL))
    return checks


def copy_check(rejected: Mapping[str, int], count: int, thresholds: CopyThresholds) -> Check:
    """Say whether more of the drawn images are copies of training images than chance and the control explain.

    What was drawn is judged, not what was kept: a generator that copies is not made fit by throwing its copies away.
    One copy to the bit is too many; of each kind of near copies there may be as many as the level of `CopyLook` or
    the share of the control make likely. Where there is no control, nobody can say so, and the release does not pass.

    Args:
        rejected: how many of the drawn images `CopyLook` rejects, by its reasons.
        count: images that were drawn.
        thresholds: of that look.
    """
    if thresholds.control is None:
        said = f"whether its images are copies of training images cannot be told: fewer than {MIN_CONTROL} images are "
        said += f"held out, and fewer than {MIN_CONTROL} were trained on (release.reject_copies=false leaves it open)"
        return Check(check=COPIES, passed=False, said=said)
    control = thresholds.control_shares or {}
    most = {
        reason: _most_by_chance(count * max(thresholds.level, control.get(reason, 0.0)), CHANCE / 2)
        for reason in (SHIFTED_COPY, NEAR_COPY)
    }
    equal = rejected.get(EXACT_COPY, 0)
    told_of = [f"{rejected.get(reason, 0):,} a {reason} (up to {each:,} by chance)" for reason, each in most.items()]
    by = f", as told by {thresholds.control}" if thresholds.control is Control.AMONG else ""
    return Check(
        check=COPIES,
        passed=not equal and all(rejected.get(reason, 0) <= each for reason, each in most.items()),
        said=f"of {count:,} drawn images {equal:,} equal a training image, {' and '.join(told_of)}{by}",
        value=sum(rejected.get(reason, 0) for reason in CopyLook.reasons) / max(1, count),
        registered=thresholds.control_share,
        tolerance=thresholds.level,
    )


def privacy_checks(audit: PrivacyAudit) -> list[Check]:
    """Take over what the audit shows: each of its figures stands against the release where it shows something."""
    return [
        Check(
            check=f"{figure.name} {figure.how}",
            passed=not figure.shown,
            said=figure.said,
            value=figure.found.value,
            registered=figure.control.value,
        )
        for figure in audit.figures
    ]


def _pairs(release: Evaluation, registered: Evaluation) -> Iterable[tuple[str, Metric, Metric]]:
    for key, theirs in registered.metrics.items():
        name = re.sub(r"[0-9]+k?$", "", key)
        if not (re.fullmatch(_SCORES, name) or name in _SHARES):
            continue
        ours = release.metrics.get(key)
        if ours is None and re.fullmatch(_UNBIASED, name):
            found = [each for each in release.metrics if re.sub(r"[0-9]+k?$", "", each) == name]
            ours = release.metrics[found[0]] if found else None
        if ours is not None and None not in (ours.low, ours.high, theirs.low, theirs.high):
            yield key, ours, theirs


def _figure(key: str, ours: Metric, theirs: Metric, widening: float, gate: GateConfig) -> Check:
    score = re.match(_SCORES, key) is not None
    tolerance = SCORE_TOLERANCE * abs(theirs.value) if score else gate.tolerance
    difference = ours.value - theirs.value
    half = widening * math.hypot(_half(ours), _half(theirs))
    passed = (difference if score else -difference) <= max(half, tolerance)
    value, other = (f"{each.value:.4g}" if score else with_ends(each) for each in (ours, theirs))
    verdict = "is as good as" if passed else "is worse than"
    said = f"its {key} {value} {verdict} the model's {other} (chance {half:.2g}, tolerance {tolerance:.2g})"
    return Check(
        check=key,
        passed=passed,
        said=said,
        value=ours.value,
        registered=theirs.value,
        low=difference - half,
        high=difference + half,
        tolerance=tolerance,
    )


def _nothing_to_compare(release: Evaluation, registered: Evaluation) -> str:
    there, wanted = release.protocol.num_generated, registered.protocol.num_generated
    return (
        f"no figure of all classes together is compared: {there:,} images have the real images' shares of classes, and "
        f"the model was scored with {wanted:,}"
    )


def _most_by_chance(expected: float, chance: float = CHANCE) -> int:
    # the smallest number that a Poisson variable exceeds with that chance at most
    if expected > 500.0:  # there it is as good as normal, and its first terms are no numbers any more
        return math.ceil(expected + _quantile(chance) * math.sqrt(expected) + 1.0)
    count, term = 0, math.exp(-expected)
    below = term
    while below < 1.0 - chance:
        count += 1
        term *= expected / count
        below += term
    return count


def _half(metric: Metric) -> float:
    return 0.0 if metric.low is None or metric.high is None else (metric.high - metric.low) / 2


def _quantile(beyond: float) -> float:
    return NormalDist().inv_cdf(1.0 - beyond)


def _name(label: int, class_names: Sequence[str]) -> str:
    return class_names[label] if 0 <= label < len(class_names) else "images without a class"


def _listed(said: Sequence[str]) -> str:
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return ", ".join(said[:_SHOWN]) + more
