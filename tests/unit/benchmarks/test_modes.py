"""What counts as a mode, and that every game can be played with points."""

import gzip
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gan.data.pixels.png import encode_png


@pytest.fixture(scope="session")
def modes(benchmark_module):
    return benchmark_module("modes")


def test_the_centres_themselves_are_all_found_and_good(modes):
    assert modes.score(modes.centres().repeat(20, 1)) == {"modes": 25, "good": 1.0, "reverse_kl": 0.0}


def test_a_mode_needs_twenty_good_samples(modes):
    points = torch.cat([modes.centres()[:1].repeat(20, 1), modes.centres()[1:2].repeat(19, 1)])
    assert modes.score(points)["modes"] == 1


def test_a_sample_beyond_four_standard_deviations_is_not_good(modes):
    centre = modes.centres()[7]
    points = torch.stack([centre + torch.tensor([x * modes.STD, 0.0]) for x in (3.9, 4.1)])
    assert modes.score(points)["good"] == 0.5


def test_reverse_kl_of_one_mode_is_the_logarithm_of_their_number(modes):
    points = modes.centres()[3:4].repeat(100, 1)
    assert modes.score(points)["reverse_kl"] == pytest.approx(math.log(25), abs=1e-4)
    assert modes.reverse_kl(torch.tensor([3, 1])) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_every_game_is_played_with_points_and_differs_from_the_first_steps_on(modes, monkeypatch):
    monkeypatch.setattr(modes, "SAMPLES", 50)
    budget = replace(modes.BUDGET, kimg=0.016, batch_size=4)
    points = [modes.grid_game(name, 0, budget)[1] for name in modes.GAMES]
    assert all(each.shape == (50, 2) for each in points)
    assert all(not np.array_equal(a, b) for i, a in enumerate(points) for b in points[:i])


def test_what_diverged_found_nothing(modes):
    budget = replace(modes.BUDGET, kimg=0.1, batch_size=4, lr=1e30)
    found, points = modes.grid_game(modes.DEFAULT, 0, budget)
    assert (found["modes"], found["good"], points) == (0, 0.0, None)
    assert "NaN" in found["diverged"]


def test_the_picture_has_a_row_for_each_game_and_leaves_out_what_diverged(modes):
    points = modes.centres().numpy()
    drawn = modes.picture({("a", 0): points, ("a", 1): None, ("b", 0): points, ("b", 1): points}, columns=2, side=50)
    assert drawn.shape == (2 * 54 - 4, 2 * 54 - 4, 1)
    assert (drawn[:50, :50] > 0).sum() == 25
    assert not drawn[:50, 54:].any()
    assert encode_png(drawn).startswith(b"\x89PNG")


def test_a_point_at_the_upper_right_is_drawn_there(modes):
    drawn = modes.picture({("a", 0): np.array([[1.0, 0.5]])}, columns=1, side=52)
    row, column = (int(each[0]) for each in np.nonzero(drawn[..., 0]))
    assert (row < 26, column > 26) == (True, True)
    assert column > 51 - row  # further to the right than up


def test_three_digits_make_one_of_a_thousand_modes(modes):
    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[0, ..., :] = (1, 2, 3)
    images[1, ..., :] = (9, 0, 9)
    assert modes.stacked_mode(images, lambda planes: planes[:, 0, 0, 0].astype(np.int64)).tolist() == [123, 909]


def write_digits(folder, pixels, labels):
    (folder / "train-images-idx3-ubyte").write_bytes(bytes(16) + pixels.tobytes())
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + bytes(labels)))


def test_digits_are_read_as_published_and_padded(modes, tmp_path):
    pixels = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8)
    write_digits(tmp_path, pixels, [7, 3])
    images, labels = modes.read_digits(tmp_path)
    assert labels.tolist() == [7, 3]
    assert np.array_equal(images[:, 2:30, 2:30, 0], pixels.reshape(2, 28, 28))
    assert images[:, :2].max() == images[:, :, 30:].max() == 0


def test_stacked_digits_are_learned_and_counted(modes, tmp_path):
    rng = np.random.default_rng(0)
    write_digits(tmp_path, rng.integers(0, 256, (20, 28, 28), dtype=np.uint8), [*range(10)] * 2)
    budget = replace(modes.BUDGET, kimg=0.004, batch_size=2)
    found = modes.stacked_mnist(tmp_path, budget, "fashion-mnist", samples=6, classifier_steps=1)
    assert 1 <= found["modes"] <= 6
    assert math.log(1000 / 6) - 1e-4 <= found["reverse_kl"] <= math.log(1000) + 1e-4
