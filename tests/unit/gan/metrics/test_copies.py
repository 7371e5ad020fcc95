"""Planted copies among honest images: found at 1 %, and nothing found where nothing was planted."""

from functools import partial

import numpy as np
import pytest

from gan.metrics.copies import CopiesResult, copy_scores, find_copies
from gan.metrics.copy_control import MIN_CONTROL, Control, score_threshold
from gan.metrics.neighbours import nearest


def draw_features(count: int, seed: int) -> np.ndarray:
    """Features like Inception's: of few intrinsic dimensions, never negative, and of unequal density."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((count, 12)) * rng.choice([0.3, 1.0], (count, 1))
    mixing = np.random.default_rng(99).standard_normal((12, 48))
    return np.maximum(latent @ mixing + 1.0, 0.0).astype(np.float32)


def assert_found(result: CopiesResult, count: int) -> None:
    """The first `count` generated images are copies of the first training images: on top, and in the share."""
    assert result.share is not None
    assert result.expected is not None
    assert result.share.low > result.expected
    top = result.pairs[:count]
    assert [pair.generated for pair in sorted(top, key=lambda pair: pair.generated)] == list(range(count))
    assert all(pair.training == pair.generated for pair in top)
    assert result.threshold is not None
    assert max(pair.score for pair in top) < result.threshold


def test_planted_features() -> None:
    """Ten copies, a little moved, among a thousand."""
    generated, training = draw_features(1000, 0), draw_features(3000, 1)
    generated[:10] = training[:10] * 1.5 + np.random.default_rng(2).normal(0, 0.1, (10, 48))
    assert_found(find_copies(generated, training, draw_features(1000, 3)), 10)


def test_copies_in_training_and_holdout() -> None:
    """Neither images that the training set holds three times nor near copies of it in the holdout hide copies."""
    generated, training, holdout = draw_features(1000, 0), draw_features(3000, 1), draw_features(1000, 3)
    training[1000:2000] = training[2000:3000] = training[:1000]
    moved = np.random.default_rng(2).normal(0, 0.1, (60, 48))
    holdout[:30] = training[100:130] + moved[30:]
    generated[:10] = training[:10] + moved[:10]
    result = find_copies(generated, training, holdout)
    assert sorted(pair.generated for pair in result.pairs[:10]) == list(range(10))
    assert all(pair.training % 1000 == pair.generated for pair in result.pairs[:10])
    assert result.share is not None
    assert result.share.low > result.expected == 0.005
    assert result.control_share is not None
    assert 0.03 <= result.control_share < 0.045


def test_no_false_alarms() -> None:
    """Where generated and held out images are of one kind, chance flags the level, and the interval says so."""
    training = draw_features(1000, 1)
    shares = []
    for seed in range(12):
        result = find_copies(draw_features(400, 100 + seed), training, draw_features(400, 200 + seed), level=0.02)
        assert result.share is not None
        shares.append(result.share)
    assert sum(share.low > 0.02 for share in shares) <= 1
    assert 0.01 < np.mean([share.value for share in shares]) < 0.035


def test_tiny_holdout() -> None:
    """50 images have no 0.5 % quantile: copies are found, and fewer honest images than with 1,000."""
    generated, training, holdout = draw_features(1000, 0), draw_features(1000, 1), draw_features(1000, 3)
    many = find_copies(generated, training, holdout).share
    few = [find_copies(generated, training, holdout[start : start + 50]).share for start in range(0, 1000, 100)]
    assert many is not None
    assert max(share.value for share in few if share is not None) <= 0.001 < many.value
    generated[:20] = training[:20]
    assert_found(find_copies(generated, training, holdout[:50]), 20)


def test_few_held_out_images_leave_it_to_the_training_images() -> None:
    """19 are no control; 20 training images are one, among themselves, and 19 of these leave pairs alone."""
    generated, training, few = draw_features(200, 0), draw_features(60, 1), draw_features(MIN_CONTROL - 1, 2)
    alone, beside = find_copies(generated, training, None), find_copies(generated, training, few)
    assert alone == beside
    assert alone.control is Control.AMONG
    assert find_copies(generated, training, draw_features(MIN_CONTROL, 2)).control is Control.HELD_OUT
    assert find_copies(generated, training[:MIN_CONTROL], few).control is Control.AMONG
    none = find_copies(generated, training[: MIN_CONTROL - 1], few)
    assert none.control is none.share is none.expected is none.control_share is none.threshold is none.nearer is None
    assert len(none.pairs) == 20


def test_among_themselves_training_images_find_others_alone() -> None:
    """The scores of 30 images, each taken by hand among the other 29, are what the threshold is made of."""
    training = draw_features(30, 1)
    t = training / np.linalg.norm(training, axis=1, keepdims=True)
    distances = np.sort(np.linalg.norm(t[:, None] - t[None], axis=2) + np.diag([np.inf] * 30), axis=1)
    by_hand = distances[:, 0] / distances[:, 1:11].mean(axis=1)
    own = np.arange(30)
    scores, _, nearest_one = copy_scores(partial(nearest, device="cpu"), t, t, own)
    assert scores == pytest.approx(by_hand, rel=1e-4)
    assert (nearest_one != own).all()
    assert find_copies(draw_features(50, 0), training, None).threshold == pytest.approx(
        score_threshold(by_hand, 0.005), rel=1e-4
    )


def test_equal_training_images_find_each_other() -> None:
    training = np.concatenate([np.ones((15, 48)), draw_features(30, 0)]).astype(np.float32)
    scores, _, nearest_one = copy_scores(partial(nearest, device="cpu"), training, training, np.arange(45))
    assert (scores[:15] == 0.0).all()
    assert (nearest_one != np.arange(45)).all()


def test_holdout_of_copies_alone() -> None:
    """Where every held out image is a training image, nothing tells chance, and nothing breaks."""
    training = draw_features(200, 1)
    share = find_copies(draw_features(50, 0), training, training[:100]).share
    assert share is not None
    assert share.low <= share.value <= share.high


def test_authenticity() -> None:
    """Alaa et al.'s definition, as loops over unit vectors; about half of new images are authentic, no copy is."""
    generated, training = draw_features(40, 0), draw_features(60, 1)
    generated[:4] = training[:4]
    g, t = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (generated, training))
    count = 0
    for each in g:
        distances = np.linalg.norm(t - each, axis=1)
        nearest = distances.argmin()
        count += distances.min() > np.delete(np.linalg.norm(t - t[nearest], axis=1), nearest).min()
    result = find_copies(generated, training, None)
    assert result.authenticity.value == count / 40
    assert result.authenticity.low < count / 40 < result.authenticity.high
    assert find_copies(training, training, None).authenticity.value == 0.0
    assert abs(find_copies(draw_features(500, 4), draw_features(500, 5), None).authenticity.value - 0.5) < 0.2


def test_score() -> None:
    """Distance to the nearest over the mean distance to those behind it; the most suspicious come first."""
    training = np.stack([np.cos([0.0, 0.3, 1.0]), np.sin([0.0, 0.3, 1.0])], axis=1)
    generated = np.array([[np.cos(0.1), np.sin(0.1)], [3.0, 0.0]])
    chord = lambda angle: 2 * np.sin(angle / 2)  # noqa: E731
    first, second = find_copies(generated, training, None).pairs
    assert (first.generated, first.training, first.score) == (1, 0, 0.0)
    assert (second.generated, second.training) == (0, 0)
    assert second.score == pytest.approx(chord(0.1) / ((chord(0.2) + chord(0.9)) / 2), rel=1e-5)
    assert find_copies(generated, training, None, pairs=1).pairs == (first,)


def test_more_equal_training_images_than_neighbours() -> None:
    """An image that equals twenty training images is a copy, not a division by zero."""
    training = np.concatenate([np.ones((20, 3)), draw_features(30, 0)[:, :3] + 0.1])
    assert find_copies(np.ones((1, 3)), training, None).pairs[0].score == 0.0


def test_wrong_input() -> None:
    """What cannot be compared is refused."""
    many = draw_features(60, 1)
    for generated, training in ((many[:0], many), (many, many[:1])):
        with pytest.raises(ValueError, match="are needed"):
            find_copies(generated, training, None)
    with pytest.raises(ValueError, match="expected"):
        find_copies(many[:, :4], many, None)
    with pytest.raises(ValueError, match="expected"):
        find_copies(many[0], many, None)
    with pytest.raises(ValueError, match="finite"):
        find_copies(many * np.nan, many, None)
    for level, pairs in ((0.0, 1), (0.2, 1), (0.01, -1)):
        with pytest.raises(ValueError, match="level"):
            find_copies(many, many, None, level=level, pairs=pairs)
