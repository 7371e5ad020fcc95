"""Sets that are large enough and of one size, seen by pixels and by features."""

import numpy as np
import pytest

from gan.privacy.view import feature_view, halves, pixel_view


def test_both_views_find_an_image_in_itself(parts, as_features):
    training, holdout, honest = (each[:60] for each in parts())
    for view in (
        pixel_view(honest, training, holdout),
        feature_view(*(as_features(each) for each in (honest, training, holdout))),
    ):
        distances, rows = view.search(view.training, view.training, 1)
        assert rows[:, 0].tolist() == list(range(60))
        assert not distances.any()
        assert (len(view.generated), len(view.holdout)) == (60, 60)
        other = view.with_sets(view.training, view.holdout, view.generated)
        assert other.search is view.search
        assert other.generated is view.training


def test_halves_are_equal_and_share_nothing():
    first, second = halves(np.arange(21), 3)
    assert len(first) == len(second) == 10
    assert not set(first) & set(second)


def test_few_images_and_several_sizes_are_refused(parts):
    training, holdout, honest = parts()
    for sets in ((honest[:19], training, holdout), (honest, training[:19], holdout), (honest, training, holdout[:0])):
        with pytest.raises(ValueError, match="20 of each"):
            pixel_view(*sets)
    with pytest.raises(ValueError, match="one size"):
        pixel_view(honest, training, holdout[:, :8, :8])
