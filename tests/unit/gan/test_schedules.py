"""Schedules in closed form."""

import math

import pytest

from gan.schedules import cosine, ema_decay


@pytest.mark.parametrize(
    ("cur_nimg", "wanted"),
    [(0, 5.0), (250, 1 + 2 * (1 + math.sqrt(0.5))), (500, 3.0), (1000, 1.0), (1064, 1.0), (9999, 1.0)],
)
def test_cosine(cur_nimg, wanted):
    assert cosine(5.0, 1.0, cur_nimg, 1000) == pytest.approx(wanted)


def test_cosine_of_a_constant_is_constant():
    assert {cosine(0.1, 0.1, at, 7) for at in range(10)} == {0.1}


def test_ema_halves_after_its_halflife():
    steps = 2000 // 50
    assert ema_decay(50, 2.0, 10**6) ** steps == pytest.approx(0.5)
    assert ema_decay(64, 2.0, 10**6) == pytest.approx(0.5 ** (64 / 2000))


def test_ema_forgets_the_start():
    # A tenth of the images seen is the half-life while that is shorter than the one asked for.
    assert ema_decay(64, 2.0, 0) == pytest.approx(2**-10)
    assert ema_decay(64, 2.0, 6400 - 64) == pytest.approx(0.5**0.1)
    assert ema_decay(100, 2.0, 20_000 - 100) == pytest.approx(0.5**0.05)
    assert ema_decay(100, 2.0, 40_000) == ema_decay(100, 2.0, 20_000 - 100)
