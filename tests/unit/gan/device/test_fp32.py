"""How fp32 is rounded belongs to the process, and whoever asks PyTorch for it is answered, an exporter too."""

import warnings

import pytest
import torch

from gan.device.fp32 import full_fp32, round_fp32, rounding, set_rounding

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def as_it_was():
    before = rounding()
    yield
    set_rounding(before)


def exported():
    """Export a convolution, which asks for all that has ever been a switch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own
        torch.export.export(torch.nn.Conv2d(1, 1, 3), (torch.zeros(1, 1, 8, 8),)).run_decompositions()
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("tf32", [True, False])
def test_full_precision_is_within_and_what_was_said_before_is_so_again(tf32):
    round_fp32(CUDA, tf32=tf32)
    said = ("tf32" if tf32 else "ieee",) * 3
    assert rounding() == said
    with full_fp32():
        assert rounding() == ("ieee",) * 3
    assert rounding() == said


@pytest.mark.parametrize("tf32", [True, False])
def test_an_exporter_is_answered_before_within_and_afterwards(tf32):
    round_fp32(CUDA, tf32=tf32)
    assert exported() == (tf32, tf32)
    with full_fp32():
        assert exported() == (False, False)
    assert exported() == (tf32, tf32)


def test_where_nothing_was_said_nothing_is_said_afterwards():
    before = rounding()
    with full_fp32():
        pass
    assert rounding() == before
    exported()


def test_what_is_said_within_holds_from_the_end_on():
    with full_fp32(), full_fp32():
        round_fp32(CUDA, tf32=True)
        assert rounding() == ("ieee",) * 3
    assert rounding() == ("tf32",) * 3


def test_a_mixture_is_put_back_as_it_was():
    set_rounding(("tf32", "ieee", "tf32"))
    with full_fp32():
        pass
    assert rounding() == ("tf32", "ieee", "tf32")


def test_a_cpu_has_nothing_to_round():
    before = rounding()
    round_fp32(torch.device("cpu"), tf32=False)
    assert rounding() == before
