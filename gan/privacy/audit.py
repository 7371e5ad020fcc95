"""What can be shown of a set of generated images: figures beside their controls, and what they mean in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from gan.configuration.config import Frozen
from gan.evaluation.copy_shares import EXPECTED, NEARER
from gan.evaluation.copying import look_for_copies
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.extraction import KEPT_BYTES
from gan.evaluation.pictures import Pair
from gan.metrics.copy_control import Control
from gan.metrics.estimate import Estimate
from gan.metrics.evaluation import Metric
from gan.privacy.distance import dcr_share, nearest_ratios
from gan.privacy.membership import membership_attack
from gan.privacy.view import LEAST, View, feature_view, pixel_view

NO_GUARANTEE = "no DP guarantee: that nothing is shown does not prove that nothing can be learnt of a training image"
MOST = 10_000
"""Images of each kind that are looked at."""
LEVEL = 0.01
"""Chance that something is shown of honest images, by the figures that ask for held out ones, all of them together."""

DCR, NNDR, MEMBERSHIP = "dcr_share", "nndr", "membership_auc"
_OF_INTERVAL = NormalDist().inv_cdf(0.975)  # standard deviations between a figure and an end of its interval


class Figure(Frozen):
    """One figure with its control.

    Attributes:
        name: of the figure.
        how: images were compared, as `by pixels`.
        found: the figure.
        expected: where nothing is given away.
        control: the same where nothing can be given away.
        shown: whether the figure is above what is expected and above the control, by more than chance does in one of a
            hundred audits of honest images, all such figures together.
        said: what it means, in a sentence.
    """

    name: str
    how: str
    found: Metric
    expected: float
    control: Metric
    shown: bool
    said: str


class PrivacyAudit(Frozen):
    """All figures of one set of generated images.

    Attributes:
        format_version: of this record.
        num_generated: images that were looked at.
        num_training: likewise.
        num_holdout: likewise.
        figures: each beside its control.
        warnings: what could not be looked at.
        guarantee: what none of it says.
    """

    format_version: Literal[1] = 1
    num_generated: int
    num_training: int
    num_holdout: int
    figures: tuple[Figure, ...] = ()
    warnings: tuple[str, ...] = ()
    guarantee: str = NO_GUARANTEE

    @property
    def shown(self) -> tuple[Figure, ...]:
        """The figures that show something."""
        return tuple(figure for figure in self.figures if figure.shown)


@dataclass(frozen=True, eq=False)
class Audited:
    """An audit, and pairs that a person would rather look at.

    Attributes:
        audit: the record.
        pixel_pairs: generated images, each with the training image that it is nearest to, the most suspicious first.
        feature_pairs: likewise by features.
    """

    audit: PrivacyAudit
    pixel_pairs: Sequence[Pair] = ()
    feature_pairs: Sequence[Pair] = ()


def audit_privacy(
    generated: EvaluationSet,
    training: EvaluationSet,
    holdout: EvaluationSet | None,
    *,
    name: Callable[[int], str] = str,
    device: str = "cpu",
    seed: int = 0,
) -> Audited:
    """Audit generated images against what they were trained on, by pixels and by features.

    Without a holdout of at least 20 images the control of what counts copies are training images among themselves
    (`look_for_copies`), and ranks take the place of the ratios; shares by distance and membership ask for images that
    were not trained on, and are left out.

    Args:
        generated: what is handed on, or the first of it.
        training: images that the generator was trained on.
        holdout: images of the same origin that it was not trained on.
        name: what a generated image is called, by its index.
        device: where distances are taken.
        seed: of what is drawn: parts and halves.
    """
    copying = look_for_copies(generated, training, holdout, name=name, device=device)
    sets = (generated, training, holdout)
    counts = [0 if each is None else min(MOST, len(each)) for each in sets]
    warnings, views = list(copying.not_seen), []
    if holdout is None or min(counts) < LEAST:
        there = f"{counts[0]} generated, {counts[1]} training and {counts[2]} held out images"
        ranks = f"; {' and '.join(NEARER.values())} are in place of {NNDR}"
        instead = ranks if copying.control is Control.AMONG else ""
        unseen = f"{DCR}, {NNDR} and {MEMBERSHIP} are not looked at"
        warnings.append(f"{unseen}: of {there} none may be fewer than {LEAST}{instead}")
    else:
        looked_at = [each for each in sets if each is not None]
        views.append(feature_view(*(each.features.features[:MOST] for each in looked_at), device=device))
        pixels = [np.asarray(each.images[each.kept(KEPT_BYTES)[:MOST]]) for each in looked_at]
        if len({each.shape[1:] for each in pixels}) == 1:
            views.append(pixel_view(*pixels, device=device))
    counted = (Figure(**each._asdict() | {"said": f"{each.said}: {_verdict(each.shown)}"}) for each in copying.figures)
    record = PrivacyAudit(
        num_generated=counts[0],
        num_training=counts[1],
        num_holdout=counts[2],
        figures=(*counted, *(each for view in views for each in figures_of(view, views=len(views), seed=seed))),
        warnings=tuple(warnings),
    )
    return Audited(record, copying.pixel_pairs, copying.feature_pairs)


def figures_of(view: View, *, views: int = 1, seed: int = 0) -> list[Figure]:
    """Return share by distance, ratios and attack for images seen in one way, of so many."""
    dcr, ratios, attack = (
        dcr_share(view, seed=seed),
        nearest_ratios(view, seed=seed),
        membership_attack(view, seed=seed),
    )
    of_ratios = ", ".join(
        f"{what} {' / '.join(f'{each:.3f}' for each in values)}"
        for what, values in (("generated", ratios.generated), ("held out", ratios.holdout))
    )
    level = LEVEL / (3 * views)  # Bonferroni: else one weekly release in ten would be stopped by chance
    return [
        _figure(
            level, DCR, view.how, dcr.share, dcr.control, f"{dcr.num_each:,} images on either side",
            f"{dcr.share.value:.1%} of the generated images are nearer to a training image than to a held out one",
        ),
        _figure(
            level, NNDR, view.how, ratios.nearer, ratios.control, f"quantiles 1 / 5 / 50 %: {of_ratios}",
            f"{ratios.nearer.value:.1%} of the time a generated image singles a training image out more than a held "
            "out image does",
        ),
        _figure(
            level, MEMBERSHIP, view.how, attack.attack, attack.control,
            f"{attack.num_members:,} members and {attack.num_others:,} others",
            f"an attack that has the generated images alone tells training images from held out ones in "
            f"{attack.attack.value:.1%} of pairs",
        ),
    ]  # fmt: skip


def _figure(level: float, name: str, how: str, found: Estimate, control: Estimate, note: str, what: str) -> Figure:
    # a control that is off to either side shows what chance does
    bound = EXPECTED + abs(control.value - EXPECTED)
    shown = found.value - (found.value - found.low) * NormalDist().inv_cdf(1.0 - level) / _OF_INTERVAL > bound
    by_chance = "" if shown or found.low <= bound else "no more than chance does where several figures are looked at, "
    said = f"{what}, {how} ({found.low:.1%} to {found.high:.1%}; control {control.value:.1%}): "
    said += by_chance + _verdict(shown)
    return Figure(
        name=name,
        how=how,
        found=Metric.of(found, note),
        expected=EXPECTED,
        control=Metric.of(control),
        shown=shown,
        said=said,
    )


def _verdict(shown: bool) -> str:
    return "more than chance and the control explain, look at the pairs" if shown else "nothing is shown"
