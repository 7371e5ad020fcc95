"""How scores are written and drawn."""

import pytest

from tasks.reports.bars import bar, bar_scale, number


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (12.3456, 0.9, "12.35"),
        (0.0042, 0.0012, "0.0042"),
        (1.08, 0.06, "1.080"),
        (12.0, 12.0, "12"),
        (0.0031, 0.0, "0.0031"),
        (123.4, 0.0, "123.4"),
        (1437.0, 0.0, "1,437"),
        (-0.5, 0.0, "−0.5"),
        (2e-7, 0.0, "2e−07"),
        (3e12, 0.0, "3e+12"),
        (5.0, 1e-9, "5"),
        (0.0, 0.1, "0"),
        (-0.00001, 0.1, "0"),
        (float("nan"), 0.0, "–"),
        (float("inf"), 0.0, "–"),
    ],
)
def test_numbers_show_the_digits_that_mean_something(value, spread, text):
    assert number(value, spread) == text


@pytest.mark.parametrize(
    ("values", "options", "scale"),
    [
        ([12.3], {}, (0, 15)),
        ([0.01], {}, (0, 0.015)),
        ([0.7, 1.0], {"at_least": 1}, (0, 1)),
        ([1.08], {"at_least": 1}, (0, 1.5)),
        ([0.02, -0.002], {"symmetric": True}, (-0.03, 0.03)),
        ([-0.0005, 0.0013], {}, (-0.0005, 0.0015)),
        ([-2.0], {}, (-2, 0)),
        ([5e-324], {}, (0, 1)),
        ([0.0], {}, (0, 1)),
        ([], {}, (0, 1)),
    ],
)
def test_scales_are_round_and_hold_zero(values, options, scale):
    assert bar_scale(values, **options) == pytest.approx(scale)


def test_a_bar_begins_at_zero_and_its_interval_is_over_its_end():
    drawn = bar(0.5, (0.25, 0.75), (-1.0, 1.0), mark=-0.5)
    assert (drawn.left, drawn.width, drawn.low, drawn.spread, drawn.mark) == (50, 25, 62.5, 25, 25)
    assert drawn.ticks == [(0, "−1"), (50, "0"), (100, "1")]
    below = bar(-0.5, None, (-1.0, 1.0))
    assert (below.left, below.width, below.spread, below.mark) == (25, 25, 0, None)
    assert [tick.label for tick in bar(0.1, None, (-0.1, 1.0)).ticks] == ["0", "1"]
