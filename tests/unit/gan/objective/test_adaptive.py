"""The steered probability of augmentation: where it goes, how fast, and where it ends."""

import pytest
import torch

from gan.objective.adaptive import AdaptiveProbability

GOOD, BAD = torch.tensor(False), torch.tensor(True)


@pytest.mark.parametrize(
    ("start", "signs", "wanted"),
    [
        (0.5, 64.0, 0.501),  # sure of all
        (0.5, 39.0, 0.501),  # 0.609 is more than 0.6
        (0.5, 38.0, 0.499),
        (0.5, -64.0, 0.499),
        (0.0, 0.0, 0.0),
        (1.0, 64.0, 1.0),
        (0.9995, 64.0, 1.0),
    ],
)
def test_it_moves_towards_the_target(start: float, signs: float, wanted: float) -> None:
    steered = AdaptiveProbability(start, target=0.6, adapt_kimg=64.0)
    steered.move(torch.tensor(signs), 64, GOOD)
    assert steered.probability.item() == pytest.approx(wanted, abs=1e-7)


def test_it_takes_its_time_from_one_end_to_the_other() -> None:
    steered = AdaptiveProbability(0.0, target=0.6, adapt_kimg=6.4)
    for step in range(100):
        assert steered.probability.item() == pytest.approx(step / 100, abs=1e-5)
        steered.move(torch.tensor(64.0), 64, GOOD)
    assert steered.probability.item() == pytest.approx(1.0, abs=1e-5)


def test_it_stays_at_the_target() -> None:
    steered = AdaptiveProbability(0.25, target=0.5, adapt_kimg=1.0)
    steered.move(torch.tensor(4.0), 8, GOOD)
    assert steered.probability.item() == 0.25


@pytest.mark.parametrize("signs", [8.0, float("nan")])
def test_a_step_that_was_not_taken_moves_nothing(signs: float) -> None:
    steered = AdaptiveProbability(0.25, target=0.5, adapt_kimg=1.0)
    steered.move(torch.tensor(signs), 8, BAD)
    assert steered.probability.item() == 0.25


def test_a_checkpoint_keeps_it() -> None:
    steered = AdaptiveProbability(0.25, target=0.5, adapt_kimg=1.0)
    steered.move(torch.tensor(8.0), 8, GOOD)
    other = AdaptiveProbability(0.0, target=0.5, adapt_kimg=1.0)
    other.load_state_dict(steered.state_dict())
    assert other.probability == steered.probability == torch.tensor(0.258)
