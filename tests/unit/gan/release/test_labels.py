"""Swapped labels are found, and labels that are right are not called swapped."""

import numpy as np
import pytest

from gan.errors import InputError
from gan.release.labels import LEVEL, Recognised, mistaken_classes, recognise, told
from gan.usefulness.arms import ClassifierRecipe, Labelled

NAMES = ("zero", "one", "two")


def recognised(labels, seen, held=None, held_seen=None):
    held = np.repeat(np.arange(3), 20) if held is None else held
    return Recognised(*(np.asarray(each) for each in (labels, seen, held, held if held_seen is None else held_seen)))


def test_two_classes_that_changed_places():
    labels = np.repeat([0, 1, 2], 30)
    seen = np.repeat([1, 0, 2], 30)
    seen[:3] = 0
    first, second = mistaken_classes(recognised(labels, seen))
    assert (first.label, first.looks_like, first.own, first.other) == (0, 1, 0.1, 0.9)
    assert (second.label, second.looks_like) == (1, 0)
    assert told([first], NAMES) == "zero (90% look like one, 10% like themselves)"


def test_a_classifier_that_cannot_tell_a_class_says_nothing_of_it():
    labels, seen = np.repeat([0, 1, 2], 30), np.repeat([1, 1, 2], 30)
    held = np.repeat([0, 1, 2], 20)
    assert mistaken_classes(recognised(labels, seen, held, np.repeat([1, 1, 2], 20))) == []
    assert mistaken_classes(recognised(labels, seen, held[20:], held[20:])) == []  # no zeros are held out


def test_a_badly_drawn_class_is_not_swapped():
    labels = np.zeros(100, np.int64)
    seen = np.repeat([0, 1, 2], [40, 35, 25])
    assert mistaken_classes(recognised(labels, seen)) == []


def test_how_often_labels_that_are_right_are_called_wrong():
    """2,000 releases of a class that is taken for another one half of the time, the worst that is no swap."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(2000):
        found = recognised(np.zeros(60, np.int64), rng.integers(0, 2, 60), held=np.repeat([0, 1], 20))
        alarms += bool(mistaken_classes(found))
    assert alarms / 2000 <= LEVEL


def test_digits(digits):
    """A classifier of seconds sees through what was planted, and lets honest digits pass."""
    images, labels = digits
    training, holdout, release = (
        Labelled(images[part], labels[part]) for part in np.split(np.arange(1797), [900, 1300])
    )
    swapped = np.where(release.labels == 3, 8, np.where(release.labels == 8, 3, release.labels))
    found = recognise(release, training, holdout, 10, recipe=ClassifierRecipe(steps=150))
    assert (found.holdout_seen == found.holdout_labels).mean() > 0.9
    assert mistaken_classes(found) == []
    planted = Recognised(swapped, found.seen, found.holdout_labels, found.holdout_seen)
    assert [(each.label, each.looks_like) for each in mistaken_classes(planted)] == [(3, 8), (8, 3)]


def test_images_without_a_label_are_refused(digits):
    images, labels = digits[0][:40], digits[1][:40]
    with pytest.raises(InputError, match="no label"):
        recognise(Labelled(images, np.full(40, -1)), Labelled(images, labels), Labelled(images, labels), 10)
