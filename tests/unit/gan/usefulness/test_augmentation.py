"""The augmentation gain is above 0 for images that help, and says so where they harm."""

import numpy as np
import pytest

from gan.errors import InputError
from gan.usefulness.arms import ClassifierRecipe
from gan.usefulness.augmentation import _f1_parts, augmentation_gain
from gan.usefulness.rare_class import missing_images, reduce_class, smallest_class

RECIPE = ClassifierRecipe(steps=40, batch_size=32)


def hard(bars, per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bars of which class 3 comes in two looks, dark and bright, so that one image of it cannot teach the class."""
    images, labels = bars(per_class, seed)
    dark = (labels == 3) & (np.arange(len(labels)) % 2 == 0)
    images[dark] = 255 - images[dark]
    return images, labels


def test_useful_images(bars) -> None:
    """Fresh draws of the class that was reduced bring back most of what the left-out images would."""
    seen: list[tuple[int, int]] = []
    result = augmentation_gain(
        *hard(bars, 40, 0),
        *hard(bars, 60, 1),
        *hard(bars, 40, 2),
        4,
        rare_class=3,
        keep=1,
        recipe=ClassifierRecipe(steps=80, batch_size=32),
        on_progress=lambda *at: seen.append(at),
    )
    assert (result.rare_class, result.kept, result.added, result.left_out) == (3, 1, 39, 39)
    assert result.recall_gain.low > 0.0
    assert result.recall_headroom.low > 0.0
    assert result.f1_gain.value > 0.1
    assert result.accuracy_gain.value > 0.0
    paired = np.subtract(result.augmented.recalls, result.without.recalls)
    assert result.recall_gain.value == pytest.approx(paired.mean())
    assert result.full.recall.value == pytest.approx(np.mean(result.full.recalls))
    assert seen == [(done, 720) for done in range(1, 721)]
    assert result.to_metrics()["rare_recall_gain"] == result.recall_gain


def test_harmful_images(bars) -> None:
    """Images of another class under this label cost F1 and accuracy, and the gain is reported below 0."""
    images, labels = bars(60, 1)
    wrong = images[labels == 0], np.full(60, 3)
    result = augmentation_gain(*bars(40, 0), *wrong, *bars(40, 2), 4, rare_class=3, keep=0.25, seeds=2, recipe=RECIPE)
    assert (result.kept, result.added) == (10, 30)
    assert result.recall_gain.value <= 0.0
    assert result.f1_gain.value < -0.1
    assert result.accuracy_gain.value < -0.05


def test_a_class_that_is_rare_by_itself(bars) -> None:
    """The smallest class is taken; where nothing is left out, the third arm is the first and is not trained again."""
    images, labels = bars(12, 0)
    few = np.flatnonzero((labels != 2) | (np.arange(48) % 4 == 0))
    seen: list[tuple[int, int]] = []
    result = augmentation_gain(
        images[few],
        labels[few],
        *bars(5, 1),
        *bars(5, 2),
        4,
        keep=1.0,
        seeds=2,
        recipe=ClassifierRecipe(steps=2, batch_size=8),
        on_progress=lambda *at: seen.append(at),
    )
    assert (result.rare_class, result.kept, result.added, result.left_out) == (2, 3, 5, 0)
    assert result.full == result.without
    assert result.recall_headroom.value == 0.0
    assert seen[-1] == (8, 8)


def test_reduce_class() -> None:
    """The rows that stay follow from the arguments; other classes stay whole; fewer are part of more."""
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 50, 80]))
    rows = reduce_class(labels, 1, 0.1)
    assert np.bincount(labels[rows]).tolist() == [100, 5, 80]
    assert np.array_equal(rows, reduce_class(labels, 1, 5))
    assert set(rows) < set(reduce_class(labels, 1, 20))
    assert np.bincount(labels[reduce_class(labels, 1, 0.001)])[1] == 1
    assert np.array_equal(reduce_class(labels, 1, 1.0), np.arange(230))
    assert smallest_class(labels) == 1
    assert smallest_class(np.array([2, 1, 2, 1])) == 1
    for keep in (0, 51, 0.0, 1.5, -0.1):
        with pytest.raises(InputError, match="class 1 has 50 images"):
            reduce_class(labels, 1, keep)


def test_missing_images() -> None:
    """A class is filled to the median of the others, and a class that is no smaller is refused."""
    labels = np.repeat([0, 1, 2, 3], [4, 10, 30, 20])
    assert missing_images(labels, 0) == 16
    with pytest.raises(InputError, match="class 2 keeps 30 images but the median of the other classes is 10"):
        missing_images(labels, 2)


def test_f1_parts() -> None:
    """Each image's part has F1 as its mean, by the definition from precision and recall."""
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 3, 50), rng.integers(0, 3, (2, 50))
    for row, parts in zip(predicted, _f1_parts(predicted, labels, 1), strict=True):
        precision, recall = (labels[row == 1] == 1).mean(), (row[labels == 1] == 1).mean()
        assert parts.mean() == pytest.approx(2 * precision * recall / (precision + recall))
    assert _f1_parts(np.zeros((1, 50), int), labels, 1).mean() == 0.0


def test_what_a_user_can_cause(bars) -> None:
    """No generated images of the class, or no class so called, is explained."""
    images, labels = bars(5, 1)
    others = labels != 3
    for rare in (3, 7):
        with pytest.raises(InputError, match=rf"no generated images of 1 of the classes \({rare}\)"):
            augmentation_gain(*bars(5, 0), images[others], labels[others], *bars(5, 2), 4, rare_class=rare)
