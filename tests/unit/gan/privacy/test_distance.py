"""Shares and ratios by hand; one half where nothing is learnt by heart, more where it is."""

import numpy as np
import pytest

from gan.privacy.distance import dcr_share, nearest_ratios
from gan.privacy.view import feature_view, pixel_view


def on_a_line(*sets):
    """20 images of each kind or more, as numbers on a line."""
    return feature_view(*(np.asarray(each, float)[:, None] for each in sets))


def test_the_share_of_points_on_a_line():
    members, others = np.arange(20.0) * 10, np.arange(20.0) * 10 + 4
    # 15 nearer to members, 4 nearer to others, 1 halfway
    drawn = np.concatenate([members[:15] + 1, others[:4] + 1, [2.0]])
    found = dcr_share(on_a_line(drawn, members, others))
    assert found.share.value == (15 + 0.5 + 0) / 20 + 0.0
    assert found.num_each == 20


def test_images_that_share_their_nearest_one_count_as_one():
    members, others = np.arange(20.0) * 10, np.arange(20.0) * 10 + 4
    spread, same = members + 1, np.full(20, 1.0)
    wide, narrow = (dcr_share(on_a_line(each, members, others)).share for each in (same, spread))
    assert wide.value == narrow.value == 1.0
    assert narrow.low > 0.8
    assert wide.low < 0.25


def test_more_training_images_than_held_out_ones_are_no_advantage():
    """2,000 against 200, both of one kind: without parts the share would be 0.9."""
    rng = np.random.default_rng(0)
    view = feature_view(*(rng.standard_normal((count, 4)) for count in (800, 2000, 200)))
    found = dcr_share(view)
    assert found.num_each == 200
    assert abs(found.share.value - 0.5) < 0.08
    turned = dcr_share(view.with_sets(view.generated, view.holdout, view.training))
    assert turned.share.value == pytest.approx(0.5, abs=0.08)


def test_ratios_by_hand():
    training = np.concatenate([np.arange(20.0) * 10, [1000.0]])
    held, drawn = np.arange(20.0) * 10 + 4, np.arange(20.0) * 10 + 1
    found = nearest_ratios(on_a_line(drawn, training, held))
    # 1 to 9 or to 9 and 4 to 6, but at the end: 1 to 11 and 4 to 14
    assert found.generated[2] == pytest.approx(1 / 9)
    assert found.holdout[2] == pytest.approx(4 / 6)
    assert found.nearer.value == 1.0


def test_a_training_image_that_is_there_twice_is_meant():
    training = np.repeat(np.arange(20.0), 2) * 10
    found = nearest_ratios(on_a_line(training[:20], training, np.arange(20.0) * 10 + 4))
    assert found.generated == (0.0, 0.0, 0.0)


def test_a_copier_is_seen(parts, copies):
    training, holdout, _ = parts()
    view = pixel_view(copies(training[:50], 300), training[:50], holdout)
    assert dcr_share(view).share.low > 0.8
    assert nearest_ratios(view).nearer.low > 0.9
