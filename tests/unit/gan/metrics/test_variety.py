"""The variety of classes: known variances, a planted collapse, and what chance does."""

import numpy as np
import pytest

from gan.metrics.variety import COLLAPSED, Variety, class_variety

DIMENSIONS = 30  # as many as Inception's features of one class are worth, by (trace C)^2 / trace C^2


def features(count, seed, scale=1.0):
    return (scale * np.random.default_rng(seed).standard_normal((count, DIMENSIONS))).astype(np.float32)


def test_it_is_the_ratio_of_total_variances_class_by_class():
    generated = np.array([[0, 0], [2, 0], [0, 4], [2, 4], [5, 5], [5, 5], [5, 5], [5, 5]], np.float32)
    real = np.array([[0, 0], [4, 0], [0, 8], [4, 8], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0]], np.float32)
    found = class_variety(generated, np.repeat([0, 1], 4), real, np.array([0] * 4 + [1] * 5))
    # of class 0: (4/3 + 16/3) / (16/3 + 64/3)
    assert found == {0: Variety(pytest.approx(0.25), 4, 4), 1: Variety(0.0, 4, 5)}


def test_neither_the_place_nor_the_unit_of_the_features_counts():
    generated, real = features(20, 0), features(30, 1)
    labels = np.zeros(20, np.int64), np.zeros(30, np.int64)
    plain = class_variety(generated, labels[0], real, labels[1])[0].ratio
    moved = class_variety(3 * generated + 7, labels[0], 3 * real - 5, labels[1])[0].ratio
    assert moved == pytest.approx(plain, rel=1e-5)


def test_one_class_of_ten_that_draws_a_single_image_is_named():
    labels = np.arange(400) % 10
    generated, real = features(400, 0), features(400, 1)
    generated[labels == 7] = generated[7]
    found = class_variety(generated, labels, real, labels)
    assert [label for label, each in found.items() if each.collapsed] == [7]
    assert found[7].ratio == pytest.approx(0.0, abs=1e-9)
    assert all(0.7 < each.ratio < 1.4 for label, each in found.items() if label != 7)


@pytest.mark.parametrize("count", [4, 8, 100])
def test_halves_of_the_same_images_give_about_one_and_never_an_alarm(count):
    ratios = []
    for seed in range(200):
        both, half = features(2 * count, seed), np.zeros(count, np.int64)
        ratios.append(class_variety(both[:count], half, both[count:], half)[0].ratio)
    assert min(ratios) > COLLAPSED
    # E[1 / variance] is above 1: for normal features by 2 / (degrees of freedom - 2)
    freedom = DIMENSIONS * (count - 1)
    assert np.mean(ratios) == pytest.approx(1 + 2 / (freedom - 2), abs=4 * np.sqrt(4 / freedom / 200))


def test_a_narrower_distribution_gives_the_square_of_its_width():
    labels = np.zeros(2000, np.int64)
    found = class_variety(features(2000, 0, scale=0.4), labels, features(2000, 1), labels)
    assert found[0].ratio == pytest.approx(0.16, rel=0.05)
    assert found[0].collapsed


def test_classes_with_too_few_images_on_either_side_are_left_out():
    generated, real = np.repeat([0, 1, 2, 3], [4, 3, 9, 4]), np.repeat([0, 1, 2, 4], [4, 9, 3, 4])
    found = class_variety(features(len(generated), 0), generated, features(len(real), 1), real)
    assert {label: (each.generated, each.real) for label, each in found.items()} == {0: (4, 4)}


def test_real_images_that_are_all_alike_say_nothing():
    labels = np.zeros(5, np.int64)
    assert class_variety(features(5, 0), labels, np.zeros((5, DIMENSIONS), np.float32), labels) == {}


def test_images_without_a_class_are_one_class():
    labels = np.full(6, -1)
    assert list(class_variety(features(6, 0), labels, features(6, 1), labels)) == [-1]


def test_unequal_lengths_and_widths_are_refused():
    labels = np.zeros(5, np.int64)
    with pytest.raises(ValueError, match="there are 4 and 5 labels for 5 and 5 features"):
        class_variety(features(5, 0), labels[:4], features(5, 1), labels)
    with pytest.raises(ValueError, match=r"features are \(5, 30\) and \(5, 9\)"):
        class_variety(features(5, 0), labels, features(5, 1)[:, :9], labels)
