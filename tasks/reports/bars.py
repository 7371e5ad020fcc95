"""Scores as bars, and how numbers are written; plain geometry that the templates draw."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_LEAST = 1e-100  # below it there are rounding errors alone


class Tick(NamedTuple):
    """A place on an axis and what is written there."""

    at: float
    label: str


class Bar(NamedTuple):
    """A score as a bar from zero, its interval as a line over the end; places in per cent of the width.

    Attributes:
        left: where the bar begins.
        width: of the bar.
        low: where the interval begins.
        spread: width of the interval; 0 where there is none.
        ticks: the scale's ends, and zero.
        mark: of another score to compare with.
    """

    left: float
    width: float
    low: float
    spread: float
    ticks: list[Tick]
    mark: float | None


def number(value: float, spread: float = 0.0) -> str:
    """Return a value with the digits to which an interval of width `spread` leaves a meaning, else with four."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if (spread or abs(value)) < 1e-5 or abs(value) >= 1e7:
        text = f"{value:.3g}"
    elif spread:
        text = f"{value:,.{max(0, 1 - math.floor(math.log10(spread)))}f}"
    elif abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = np.format_float_positional(float(f"{value:.4g}"), trim="-")
    return text.replace("-", "−") if text.strip("-0.") else "0"


def bar_scale(values: Sequence[float], *, at_least: float = 0.0, symmetric: bool = False) -> tuple[float, float]:
    """Return round ends of a scale with zero on it that holds all values and some space beyond.

    Args:
        values: finite.
        at_least: the upper end is no lower; zero or round.
        symmetric: zero is in the middle.
    """
    highest, lowest = max([at_least, *values]), min([0.0, *values])
    high = _round_up(highest if highest == at_least else 1.05 * highest)
    low = -_round_up(-lowest)
    if symmetric:
        low, high = min(low, -high), max(high, -low)
    return (low, high) if high > low else (low, 1.0)


def bar(
    value: float, interval: tuple[float, float] | None, scale: tuple[float, float], mark: float | None = None
) -> Bar:
    """Return where a score, its interval and another score are on a scale that has zero on it."""

    def place(value: float) -> float:
        return 100 * (min(max(value, scale[0]), scale[1]) - scale[0]) / (scale[1] - scale[0])

    zero, at = place(0), place(value)
    low, high = (place(end) for end in interval) if interval else (at, at)
    ticks = [Tick(place(end), number(end)) for end in sorted({scale[0], 0.0, scale[1]})]
    # An end beside zero goes without label.
    ticks = [tick for tick in ticks if tick.at == zero or abs(tick.at - zero) > 20]
    return Bar(min(zero, at), abs(at - zero), low, high - low, ticks, None if mark is None else place(mark))


def _round_up(value: float) -> float:
    """Return the next number of one or two digits."""
    if value < _LEAST:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    # Of the factors that a reader can halve at a glance.
    return next(factor for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if factor * power >= value * (1 - 1e-9)) * power
