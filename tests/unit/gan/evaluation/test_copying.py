"""Copies among images of a set that is too large to be held: found as in one that is."""

import numpy as np
import pytest

from gan.evaluation import copying
from gan.evaluation.copying import look_for_copies
from gan.evaluation.evaluation_set import EvaluationSet
from gan.metrics.feature_set import collect


class Watched(np.ndarray):
    """Images that note how many are taken by their rows at once."""

    taken: list

    def __getitem__(self, key):
        found = np.asarray(self).__getitem__(key)
        if isinstance(key, np.ndarray):
            self.taken.append(len(found))
        return found


def evaluation_set(images, rows, rng):
    features = collect([rng.normal(size=(len(rows), 8)).astype(np.float32)])
    return EvaluationSet(images, rows, np.zeros(len(rows), np.int64), features)


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2500, 8, 8, 1), dtype=np.uint8)
    rows = rng.permutation(2500)
    drawn = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    drawn[:5] = images[[3, 400, 1200, 1900, 1999]]
    held = rng.integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
    generated = evaluation_set(drawn, np.arange(60), rng)
    return generated, images, rows, evaluation_set(held, np.arange(200), rng), rng


def test_images_that_are_not_held_are_looked_at_in_blocks(sets, monkeypatch):
    generated, images, rows, holdout, rng = sets
    monkeypatch.setattr(copying, "KEPT", 2000)
    watched = images.view(Watched)
    watched.taken = []
    found = look_for_copies(generated, evaluation_set(watched, rows, rng), holdout)
    wanted = look_for_copies(generated, evaluation_set(images[:2000], np.arange(2000), rng), holdout)
    assert found.metrics["pixel_copies"] == wanted.metrics["pixel_copies"]
    assert found.metrics["pixel_copies"].value == pytest.approx(5 / 60)
    assert [pair.score for pair in found.pixel_pairs] == [pair.score for pair in wanted.pixel_pairs]
    for one, other in zip(found.pixel_pairs, wanted.pixel_pairs, strict=True):
        assert np.array_equal(one.training, other.training)
    assert 0 < max(watched.taken) <= 1024


def test_images_too_small_for_pixels_are_said(sets):
    generated, _, _, holdout, rng = sets
    small = [evaluation_set(each.images[:60, :3, :3], np.arange(60), rng) for each in (generated, holdout, holdout)]
    found = look_for_copies(*small)
    assert "pixel_copies" not in found.metrics
    assert "copies" in found.metrics
    assert any("3x3x1 are too small" in each for each in found.warnings)
