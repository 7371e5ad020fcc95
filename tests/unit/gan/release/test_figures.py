"""A release is scored with the real images' shares of classes, whatever its own are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import InputError
from gan.release.figures import release_evaluation, rows_like


def test_rows_have_the_shares_of_the_others():
    labels = np.repeat([0, 1, 2], [100, 50, 400])
    like = np.repeat([0, 1, 2], [30, 30, 40])
    rows = rows_like(labels, like, 100)
    assert np.bincount(labels[rows]).tolist() == [30, 30, 40]
    assert rows.tolist() == [*range(30), *range(100, 130), *range(150, 190)]
    # 50 of class 1 are 30 % of 166 images
    assert np.bincount(labels[rows_like(labels, like, 1000)]).tolist() == [50, 50, 66]


def test_a_class_that_is_a_little_short_is_made_up_for():
    labels, like = np.repeat([0, 1], [100, 48]), np.array([0, 1])
    rows = rows_like(labels, like, 100)
    assert np.bincount(labels[rows]).tolist() == [52, 48]
    assert np.bincount(labels[rows_like(np.repeat([0, 1], [100, 46]), like, 100)]).tolist() == [46, 46]


def test_a_release_without_one_of_the_classes_has_no_such_rows():
    assert len(rows_like(np.zeros(50, np.int64), np.array([0, 1]), 20)) == 0


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=200),
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(0, 100),
)
def test_shares_differ_by_little(labels, like, most):
    rows = rows_like(np.array(labels), np.array(like), most)
    assert len(rows) <= most
    assert (np.diff(rows) > 0).all()
    taken, wanted = (np.bincount(each, minlength=4) for each in (np.array(labels)[rows], like))
    assert np.abs(taken - wanted / len(like) * len(rows)).max() <= 2 + 0.03 * len(rows)


def test_a_filled_up_class_does_not_move_the_scores(scored_digits):
    """Twice as many zeros as the real images have: KID of all images is that of the real shares."""
    made = scored_digits
    images, labels = made.part(2)
    zeros = np.flatnonzero(labels == 0)
    rows = np.concatenate([np.arange(len(labels)), zeros])
    plain, filled = (made.evaluate(images[each], labels[each]) for each in (np.arange(len(labels)), rows))
    assert plain.metrics == filled.metrics
    assert filled.protocol.num_generated == made.registered.protocol.num_generated


def test_fewer_images_say_so_in_their_keys(scored_digits):
    made = scored_digits
    images, labels = made.part(2)
    found = made.evaluate(images[:150], labels[:150])
    assert 100 < found.protocol.num_generated < 150
    assert f"kid{found.protocol.num_generated}" in found.metrics


def test_another_network_is_refused(scored_digits):
    made = scored_digits
    other = replace(made.network, sha256="other")
    with pytest.raises(InputError, match="cannot be compared"):
        release_evaluation(made.as_set(*made.part(2)), made.reference, made.registered, other, made.names)
