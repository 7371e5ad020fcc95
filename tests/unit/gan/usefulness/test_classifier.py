"""The classifier learns what is there to learn, is the same for a seed, and leaves the program around it alone."""

import numpy as np
import pytest
import torch

from gan.usefulness.classifier import balanced_order, train_classifier

SHORT = {"steps": 40, "batch_size": 32}


def test_learns_from_pixels(bars) -> None:
    """Bars in four directions are told apart in images that were not trained on."""
    images, labels = bars(50, 0)
    unseen, truth = bars(50, 1)
    predicted = train_classifier(images, labels, 4, **SHORT).predict(unseen)
    assert predicted.dtype == np.int64
    assert predicted.shape == (200,)
    assert (predicted == truth).mean() > 0.95


@pytest.mark.parametrize(
    ("shape", "classes"), [((8, 8, 3), 2), ((28, 28, 1), 300), ((96, 96, 3), 5), ((256, 256, 1), 3)]
)
def test_any_resolution(shape: tuple[int, ...], classes: int) -> None:
    """Sides from 8 to 256, grey and colour, a few classes to hundreds; dark is one class and bright another."""
    labels = np.repeat([0, classes - 1], 4)
    images = np.where(labels == 0, 40, 200)[:, None, None, None] + np.zeros(shape)
    classifier = train_classifier(images.astype(np.uint8), labels, classes, steps=12, batch_size=8)
    assert classifier.predict(images.astype(np.uint8)).tolist() == labels.tolist()


def test_equal_for_a_seed(bars) -> None:
    """One seed, the same logits to the bit; another seed, others."""
    images, labels = bars(10, 0)
    x = torch.zeros(1, 1, 8, 8)
    logits = [train_classifier(images, labels, 4, steps=4, seed=seed)._network(x) for seed in (5, 5, 6)]
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


def test_leaves_the_program_alone(bars) -> None:
    """Global random states and the images stay as they were; a read-only memory map is no trouble."""
    images, labels = bars(5, 0)
    images.flags.writeable = labels.flags.writeable = False
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()
    train_classifier(images, labels, 4, steps=2, mirror=True).predict(images)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)


def test_mirror(bars) -> None:
    """Mirrored images teach both diagonals under one label, which is wrong for bars and why it is off."""
    images, labels = bars(50, 0)
    one = labels == 2
    both = np.concatenate([images[one], images[labels == 0]])
    names = np.repeat([0, 1], 50)
    other = bars(50, 1)[0][150:]
    shares = [(train_classifier(both, names, 2, **SHORT, mirror=m).predict(other) == 0).mean() for m in (False, True)]
    assert shares[1] > 0.95
    assert shares[0] < shares[1]


def test_progress(bars) -> None:
    """Every step is counted once."""
    seen: list[tuple[int, int]] = []
    train_classifier(*bars(2, 0), 4, steps=3, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_balanced_order() -> None:
    """Classes come equally often in any stretch, and a class's images take turns."""
    labels = np.array([7] * 50 + [3] * 2 + [9])
    order = balanced_order(labels, 301, torch.Generator().manual_seed(0)).numpy()
    drawn = labels[order]
    assert sorted((drawn == label).sum() for label in (3, 7, 9)) == [100, 100, 101]
    assert all(sorted(drawn[i : i + 3]) == [3, 7, 9] for i in range(0, 300, 3))
    of_seven = order[drawn == 7]
    assert len(set(of_seven[:50])) == len(set(of_seven[50:100])) == 50
    of_three = order[drawn == 3][:100].reshape(-1, 2)
    assert (np.sort(of_three, axis=1) == [50, 51]).all()


@pytest.mark.parametrize(
    ("shape", "dtype", "label", "named"),
    [
        ((4, 8, 8, 2), np.uint8, 0, "uint8 with sides"),
        ((4, 7, 8, 1), np.uint8, 0, "uint8 with sides"),
        ((4, 8, 8, 1), np.float32, 0, "uint8 with sides"),
        ((5, 8, 8, 1), np.uint8, 0, "one for each"),
        ((4, 8, 8, 1), np.uint8, 2, "expected 0 to 1"),
        ((4, 8, 8, 1), np.uint8, -1, "expected 0 to 1"),
    ],
)
def test_refuses(shape: tuple[int, ...], dtype: type, label: int, named: str) -> None:
    """Arrays that do not fit are named."""
    with pytest.raises(ValueError, match=named):
        train_classifier(np.zeros(shape, dtype), np.full(4, label), 2)
    with pytest.raises(ValueError, match="at least 1"):
        train_classifier(np.zeros((4, 8, 8, 1), np.uint8), np.zeros(4, np.int64), 2, steps=0)
