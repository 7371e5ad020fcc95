"""Steps that were skipped are counted, and end a run when there are too many in a row."""

import pytest
import torch

from gan.errors import NonFiniteLossError
from gan.training.bad_steps import BadSteps

CPU = torch.device("cpu")


def step(counter, bad, cur_nimg, *, terms=None, D=False):
    found = {"D": torch.tensor(D), "G": torch.tensor(bad)}
    return counter.after(found, terms or {"D_loss": torch.tensor(1.0)}, cur_nimg)


def test_skipped_steps_are_counted_and_a_good_one_ends_their_row():
    counter = BadSteps(CPU)
    for index, bad in enumerate([False, True, True, False, True]):
        step(counter, bad, 8 * index)
    assert counter.check(1, 0) == 3
    with pytest.raises(NonFiniteLossError, match="the gradient of G became NaN or infinite at image 32 and the step"):
        counter.check(0, 0)


def test_the_sentence_says_where_a_row_began_and_what_is_not_finite_on_which_rank():
    counter = BadSteps(CPU)
    sound, broken = torch.tensor(0.5), torch.tensor(float("inf"))
    step(counter, False, 0)
    for cur_nimg in (8, 16, 24):
        step(counter, True, cur_nimg, terms={"D_loss": broken, "r1": broken, "D_sign": sound}, D=True)
    assert counter.check(3, 2) == 3
    wanted = (
        r"D_loss, r1 on rank 2 became NaN or infinite at image 8 and neither this step nor the 2 after it was taken"
    )
    with pytest.raises(NonFiniteLossError, match=wanted):
        counter.check(2, 2)


def test_a_worker_whose_terms_are_sound_is_not_blamed():
    counter = BadSteps(CPU)
    step(counter, False, 40, D=True)
    with pytest.raises(NonFiniteLossError, match="the gradient of D became NaN or infinite at image 40"):
        counter.check(0, 1)


def test_terms_that_are_not_finite_spoil_no_means():
    counter = BadSteps(CPU)
    terms = {"D_loss": torch.tensor(float("nan")), "G_loss": torch.tensor(2.0), "r1": torch.tensor(-float("inf"))}
    found = step(counter, False, 0, terms=terms)
    assert {name: value.item() for name, value in found.items()} == {"D_loss": 0.0, "G_loss": 2.0, "r1": 0.0}


def test_a_step_that_was_not_taken_adds_nothing_to_means():
    found = step(BadSteps(CPU), True, 0, terms={"D_loss": torch.tensor(3.0), "G_loss": torch.tensor(2.0)})
    assert {name: value.item() for name, value in found.items()} == {"D_loss": 0.0, "G_loss": 0.0}
