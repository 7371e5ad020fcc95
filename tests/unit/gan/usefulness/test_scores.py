"""CAS on bars: good images score like real ones, wrong labels and noise do not."""

import numpy as np
import pytest

from gan.errors import InputError
from gan.usefulness.arms import ClassifierRecipe, Labelled
from gan.usefulness.scores import classification_accuracy_score, generated_accuracy

RECIPE = ClassifierRecipe(steps=30, batch_size=32)


def test_good_images_score_like_real(bars) -> None:
    """Fresh draws of the same bars are as good as the real ones; each arm has the fewer images of each class."""
    seen: list[tuple[int, int]] = []
    result = classification_accuracy_score(
        *bars(40, 0), *bars(25, 1), *bars(25, 2), 4, recipe=RECIPE, seeds=2, on_progress=lambda *at: seen.append(at)
    )
    assert result.generated.value > 0.9
    assert result.gap.low < 0.0 < result.gap.high
    assert result.training_images == 100
    assert result.generated.value == pytest.approx(np.mean(result.generated_accuracies))
    assert result.gap.value == pytest.approx(np.mean(result.generated_accuracies) - np.mean(result.real_accuracies))
    assert np.mean(result.real_recalls) == pytest.approx(result.real.value)  # the holdout's classes are equally large
    assert len(result.generated_recalls) == 4
    assert result.to_metrics() == {"cas": result.generated, "cas_real": result.real, "cas_gap": result.gap}
    assert seen == [(done, 120) for done in range(1, 121)]


def test_the_score_alone_is_the_same_number(bars) -> None:
    """Without the arm of real images, and with more generated ones than real."""
    real, generated, holdout = bars(9, 0), bars(12, 1), bars(25, 2)
    short = ClassifierRecipe(steps=6, batch_size=8)
    both = classification_accuracy_score(*real, *generated, *holdout, 4, recipe=short, seeds=2)
    sets = Labelled(*generated), real[1], Labelled(*holdout)
    assert generated_accuracy(*sets, 4, recipe=short, seeds=2) == both.generated
    with pytest.raises(InputError, match="no generated images of 1 of the classes"):
        generated_accuracy(sets[0].take(np.arange(36)), *sets[1:], 4, recipe=short, seeds=2)


def test_swapped_labels(bars) -> None:
    """Images generated for the wrong class ruin the recall of exactly those classes."""
    images, labels = bars(30, 1)
    swapped = np.array([1, 0, 2, 3])[labels]
    result = classification_accuracy_score(*bars(30, 0), images, swapped, *bars(25, 2), 4, recipe=RECIPE, seeds=2)
    assert result.gap.high < -0.2
    assert max(result.generated_recalls[:2]) < 0.2
    assert min(result.generated_recalls[2:]) > 0.8
    assert min(result.real_recalls) > 0.8


def test_noise_is_useless(bars) -> None:
    """Noise teaches nothing: the accuracy is that of guessing."""
    images, labels = bars(30, 1)
    noise = np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8)
    result = classification_accuracy_score(*bars(30, 0), noise, labels, *bars(25, 2), 4, recipe=RECIPE, seeds=2)
    assert result.generated.value < 0.5
    assert result.gap.high < 0.0


def test_equal_again(bars) -> None:
    """The same arguments give the same result, also where a seed draws from a larger set."""
    short = ClassifierRecipe(steps=3, batch_size=8)
    results = [
        classification_accuracy_score(*bars(9, 0), *bars(4, 1), *bars(5, 2), 4, recipe=short, seeds=2) for _ in range(2)
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("which", "change", "named"),
    [
        (1, lambda labels: np.where(labels == 0, -1, labels), "5 of 20 real images have no label"),
        (3, lambda labels: np.full_like(labels, -1), "20 of 20 generated images have no label"),
        (5, lambda labels: labels + 1, "labels such as 4 beyond the 4 classes"),
        (5, lambda labels: np.minimum(labels, 1), r"no holdout images of 2 of the classes \(2, 3\)"),
        (3, lambda labels: np.maximum(labels, 1), r"no generated images of 1 of the classes \(0\)"),
    ],
)
def test_what_a_user_can_cause(bars, which: int, change, named: str) -> None:
    """Missing labels and classes are explained."""
    arrays = [*bars(5, 0), *bars(5, 1), *bars(5, 2)]
    arrays[which] = change(arrays[which])
    with pytest.raises(InputError, match=named):
        classification_accuracy_score(*arrays, 4)


def test_what_a_caller_can_cause(bars) -> None:
    """One class is no task; one seed has no spread; images must be of one shape."""
    sets = [*bars(5, 0), *bars(5, 1), *bars(5, 2)]
    with pytest.raises(InputError, match="at least 2 classes"):
        classification_accuracy_score(*[a[:5] for a in sets], 1)
    with pytest.raises(ValueError, match="at least 2"):
        classification_accuracy_score(*sets, 4, seeds=1)
    sets[2] = sets[2][:, :7]
    with pytest.raises(ValueError, match="not of one shape"):
        classification_accuracy_score(*sets, 4)
