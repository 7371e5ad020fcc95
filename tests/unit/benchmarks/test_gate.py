"""What the gate's benchmark plants, and what counts as refused for the right reason."""

import numpy as np
import pytest
import torch

from gan.evaluation.gate import Decision
from gan.evaluation.reason import Reason


@pytest.fixture(scope="session")
def gate(benchmark_module):
    return benchmark_module("gate")


@pytest.fixture
def pool():
    """Five images of 0 and three of 1; an image's level says which it is."""
    images = np.zeros((8, 4, 4, 1), np.uint8) + np.arange(8, dtype=np.uint8)[:, None, None, None] * 10
    return images, np.array([0, 0, 0, 0, 0, 1, 1, 1])


def test_a_planted_program_draws_each_class_one_after_the_other(gate, pool):
    program = gate.planted(*pool, lambda image, seed: image + np.uint8(seed == 4))
    drawn = program(torch.tensor([[0, 0], [1, 1], [4, 0], [5, 0]]))
    assert drawn[:, 0, 0, 0].tolist() == [0, 60, 41, 0]


def test_noise_follows_from_the_seed(gate, pool):
    image = pool[0][4]
    assert np.array_equal(gate.noisy(image, 3, 5.0), gate.noisy(image, 3, 5.0))
    assert not np.array_equal(gate.noisy(image, 3, 5.0), gate.noisy(image, 4, 5.0))
    assert np.array_equal(gate.noisy(image, 3, 0.0), image)


def test_the_planted_faults_are_those_that_are_named(gate):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 9)
    images = rng.integers(0, 256, (36, 4, 4, 1), dtype=np.uint8)
    training = np.full((5, 4, 4, 1), 7, np.uint8)
    found = gate.candidates(images, labels, training)
    rows = torch.tensor([[seed, label] for label in range(4) for seed in range(1, 10)])

    def distinct(name, label):
        drawn = found[name][0](rows).numpy()[labels == label]
        return len(np.unique(drawn.reshape(len(drawn), -1), axis=0))

    assert distinct("better", 0) == 9
    assert distinct("a third of the variety", 0) == 3
    collapsed = found["a collapsed class"][0](rows).numpy()[labels == gate.ONE_CLASS].astype(int)
    assert np.abs(collapsed - images[labels == gate.ONE_CLASS][0]).max() <= 12
    copies = found["copies"][0](torch.tensor([[10, 0], [11, 0]])).numpy()
    assert [(each == 7).all() for each in copies] == [True, False]


@pytest.mark.parametrize(
    ("wanted", "refused", "held"),
    [(set(), [], True), (set(), ["kid300"], False), ({"kid"}, ["kid300"], True), ({"recall"}, ["kid300"], False)],
)
def test_a_fault_has_to_be_refused_by_the_look_that_is_there_for_it(gate, wanted, refused, held):
    reasons = [
        Reason(check="first", passed=True, said="a"),
        *(Reason(check=c, passed=False, said="b") for c in refused),
    ]
    found = gate.row("it", Decision.of("kid300", reasons), wanted)
    assert (found["refused_by"], found["held"]) == (refused, held)
