"""A generator that copies is shown by every figure, and an honest one by none more often than chance allows."""

import numpy as np
import pytest

from gan.evaluation.evaluation_set import EvaluationSet
from gan.metrics.estimate import Estimate
from gan.metrics.feature_set import collect
from gan.privacy.audit import (
    DCR,
    LEVEL,
    MEMBERSHIP,
    NNDR,
    NO_GUARANTEE,
    PrivacyAudit,
    _figure,
    audit_privacy,
    figures_of,
)
from gan.privacy.view import BY_FEATURES, BY_PIXELS, feature_view, pixel_view


@pytest.fixture
def as_set(as_features):
    def of(images):
        return EvaluationSet(images, np.arange(len(images)), np.full(len(images), -1), collect([as_features(images)]))

    return of


def test_a_copier_is_shown_with_its_pairs(parts, copies, as_set):
    training, holdout, _ = parts()
    drawn = copies(training[:50], 400)
    found = audit_privacy(as_set(drawn), as_set(training[:50]), as_set(holdout), name=lambda index: f"image {index}")
    names = {(figure.name, figure.how) for figure in found.audit.shown}
    assert names >= {(name, how) for name in (DCR, NNDR, MEMBERSHIP) for how in (BY_PIXELS, BY_FEATURES)}
    assert {name for name, _ in names} >= {"copies", "pixel_copies"}
    assert all("look at the pairs" in figure.said for figure in found.audit.shown)
    for pair in (*found.pixel_pairs[:5], *found.feature_pairs[:5]):
        assert np.abs(pair.generated.astype(int) - pair.training).mean() < 8
        assert pair.label.startswith("image ")


def test_honest_images_show_nothing(parts, as_set):
    training, holdout, honest = parts()
    found = audit_privacy(*(as_set(each) for each in (honest, training, holdout)))
    assert found.audit.shown == ()
    assert len(found.audit.figures) == 8
    assert all(figure.said.endswith("nothing is shown") for figure in found.audit.figures)
    assert all(figure.control.value >= 0 for figure in found.audit.figures)


def test_the_record_comes_back_and_promises_nothing(parts, as_set):
    audit = audit_privacy(*(as_set(each[:60]) for each in parts())).audit
    assert PrivacyAudit.model_validate_json(audit.model_dump_json()) == audit
    assert audit.guarantee == NO_GUARANTEE
    text = audit.model_dump_json().lower()
    assert "differential" not in text
    assert "no dp guarantee" in text


def test_without_a_holdout_training_images_among_themselves_are_the_control(parts, copies, as_set):
    """Copies are found, honest images are not called so, and what asks for a holdout is named."""
    training, holdout, honest = parts()
    for held in (None, as_set(holdout[:19])):
        copied, fine = (
            audit_privacy(as_set(drawn), as_set(training[:50]), held) for drawn in (copies(training[:50], 60), honest)
        )
        assert {each.name for each in copied.audit.shown} == {"copies", "nearer", "pixel_copies", "pixel_nearer"}
        assert fine.audit.shown == ()
        assert len(fine.audit.figures) == 4
        assert any(each.startswith("dcr_share, nndr and membership_auc are not") for each in copied.audit.warnings)
        assert not any("look at the pairs" in each for each in copied.audit.warnings), "what is shown is no lack"
        assert any("training images among themselves" in each.said for each in copied.audit.figures)
        assert copied.pixel_pairs


def test_without_any_control_there_are_pairs_alone(parts, copies, as_set):
    training, holdout, _ = parts()
    found = audit_privacy(as_set(copies(training[:19], 60)), as_set(training[:19]), as_set(holdout[:19]))
    assert found.audit.figures == ()
    assert any("copies are not counted" in each for each in found.audit.warnings)
    assert found.pixel_pairs


@pytest.mark.parametrize("how", [pytest.param(BY_PIXELS, marks=pytest.mark.slow), BY_FEATURES])
def test_how_often_honest_images_raise_an_alarm(parts, as_features, how):
    """60 times other digits as training, holdout and generated images: all three together may err in 1 of 100."""
    alarms = dict.fromkeys((DCR, NNDR, MEMBERSHIP), 0)
    for seed in range(60):
        training, holdout, honest = parts(seed, (400, 400))
        if how == BY_PIXELS:
            view = pixel_view(honest[:400], training, holdout)
        else:
            view = feature_view(*(as_features(each) for each in (honest[:400], training, holdout)))
        for figure in figures_of(view, seed=seed):
            alarms[figure.name] += figure.shown
    print(f"alarms of 60 honest sets, {how}: {alarms}")  # noqa: T201
    # 0.6 are to be expected; 4 or more come by chance in 0.3 % of such tests, and the control makes them rarer
    assert sum(alarms.values()) <= 3


def test_what_chance_does_among_several_figures_is_not_shown():
    def said(low, *, views):
        found = Estimate(0.558, low, 0.612)
        level = LEVEL / (3 * views)
        return _figure(level, DCR, BY_PIXELS, found, Estimate(0.5, 0.44, 0.56), "", "55.8%")

    assert said(0.503, views=2).said.endswith("several figures are looked at, nothing is shown")
    assert not said(0.519, views=2).shown
    assert said(0.519, views=2).said.count("chance") == 1
    assert said(0.521, views=2).shown
    assert said(0.519, views=1).shown
    assert said(0.49, views=2).said.endswith("control 50.0%): nothing is shown")


def test_how_few_copies_are_shown(parts, copies, as_features):
    """A tenth of the images copied, from all the training images: seen by the distance share."""
    training, holdout, honest = parts()
    drawn = np.concatenate([honest[:360], copies(training, 240)])
    shown = {figure.name for figure in figures_of(pixel_view(drawn, training, holdout)) if figure.shown}
    assert DCR in shown
