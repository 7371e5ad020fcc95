"""Curves over training as plain geometry: where lines and ticks go; the templates draw them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.reports.bars import Tick, number

_MOST_POINTS = 600  # twice what the eye can tell apart at this width
_MEANS = 60  # of a curve that has more points than twice that
_MOST = 1e100  # beyond it and below its inverse there are rounding errors alone
_LOGARITHMIC = 20  # the quotient of highest and lowest from which a linear scale would hide the low values


class Frame(NamedTuple):
    """How large a plot is, and where in it curves are drawn; in units of about a pixel."""

    width: int = 320
    height: int = 172
    left: int = 46
    right: int = 308
    top: int = 10
    bottom: int = 148


FRAME = Frame()


class Plot(NamedTuple):
    """A curve in `FRAME`.

    Attributes:
        name: what is drawn.
        last: the last finite value, as text.
        logarithmic: whether equal distances on the axis on the left are equal factors.
        summary: the curve in a sentence, for those who cannot see it.
        path: the line, as the `d` of an SVG path.
        trend: the means of many points each, likewise; empty where there are few points.
        x_ticks: of the axis below.
        y_ticks: of the axis on the left.
        best: where the best checkpoint's value is, (x, y).
    """

    name: str
    last: str
    logarithmic: bool
    summary: str
    path: str
    trend: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    best: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Curve:
    """What was measured while a model was trained.

    Attributes:
        name: of what was measured, as `D_loss`.
        kimg: [N] thousand images seen; in any order.
        values: [N]; where one is not finite, or beyond 1e100, the line has a gap.
    """

    name: str
    kimg: Sequence[float]
    values: Sequence[float]


def plot(curve: Curve, best_kimg: float | None = None) -> Plot | None:
    """Return a curve as a line in a frame, or None where no value is finite.

    Args:
        curve: what to draw.
        best_kimg: when the best checkpoint was written; marked where it is within the curve.
    """
    kimg, values = np.asarray(curve.kimg, np.float64), np.asarray(curve.values, np.float64)
    order = np.argsort(kimg, kind="stable")
    kimg, values = kimg[order], np.where(np.abs(values) < _MOST, values, np.nan)[order]
    finite = np.flatnonzero(np.isfinite(values))
    if not len(finite):
        return None
    lowest, highest, last = (int(finite[row]) for row in (values[finite].argmin(), values[finite].argmax(), -1))
    low, high = float(values[lowest]), float(values[highest])
    logarithmic = low > 1 / _MOST and high > _LOGARITHMIC * low
    y_axis = _decades(low, high) if logarithmic else _axis(low, high, outside=True)
    y_place = _place(y_axis[0][0], y_axis[-1][0], FRAME.bottom, FRAME.top, logarithmic)
    x_low, x_high = min(0.0, float(kimg[0])), max(float(kimg[-1]), float(kimg[0]) + 1e-3)
    x_place = _place(x_low, x_high, FRAME.left, FRAME.right)
    x, y = x_place(kimg), y_place(values)
    best = None
    # Losses are logged now and then: their last value may be from shortly before the last checkpoint.
    if best_kimg is not None and x_low <= best_kimg <= 1.02 * x_high:
        nearest = finite[np.abs(kimg[finite] - best_kimg).argmin()]
        best = (float(x[nearest]), float(y[nearest]))
    kept = _thin(values)
    return Plot(
        name=curve.name,
        last=number(values[last]),
        logarithmic=logarithmic,
        summary=f"{curve.name} over {number(kimg[0])} to {number(kimg[-1])} kimg: at last {number(values[last])}, "
        f"lowest {number(low)} at {number(kimg[lowest])} kimg, highest {number(high)}",
        path=_path(x[kept], y[kept]),
        trend=_path(_means(x, y), _means(y, y)) if len(values) > 2 * _MEANS else "",
        x_ticks=[Tick(float(x_place(at)), label) for at, label in _axis(x_low, x_high)],
        y_ticks=[Tick(float(y_place(at)), label) for at, label in y_axis],
        best=best,
    )


def _place(low: float, high: float, start: int, end: int, logarithmic: bool = False) -> Callable[[Any], Any]:
    """Return what maps the values from `low` to `high` onto the pixels from `start` to `end`."""
    scale = np.log if logarithmic else np.asarray
    return lambda values: start + (end - start) * (scale(values) - scale(low)) / (scale(high) - scale(low))


def _axis(low: float, high: float, *, outside: bool = False) -> list[tuple[float, str]]:
    """Return about four round numbers within a range, or also those next to it, and how they are written."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 3))
    step = next(factor for factor in (1, 2, 2.5, 5, 10) if span / (factor * power) <= 4) * power
    ends = (math.floor(low / step), math.ceil(high / step)) if outside else (math.ceil(low / step), high // step)
    first, last = ends if ends[0] < ends[1] or not outside else (ends[0] - 1, ends[0] + 1)
    values = [index * step for index in range(int(first), int(last) + 1)]
    decimals = next((digits for digits in range(6) if abs(round(step, digits) - step) < 1e-6 * step), None)
    plain = decimals is not None and max(abs(low), abs(high)) < 1e6
    texts = [f"{value:,.{decimals}f}" if plain else f"{value:.3g}" for value in values]
    return [(value, text.replace("-", "−")) for value, text in zip(values, texts, strict=True)]


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Return powers of ten from below `low` to above `high`, six at most."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = math.ceil((last - first) / 5)
    return [(10.0**power, number(10.0**power)) for power in range(first, last + every, every)]


def _means(values: NDArray[np.float64], where: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of stretches of values where `where` is a number; NaN where it nowhere is."""
    stretches = np.array_split(np.where(np.isfinite(where), values, np.nan), _MEANS)
    return np.array([stretch[kept].mean() if (kept := np.isfinite(stretch)).any() else np.nan for stretch in stretches])


def _thin(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return which points to draw: of each stretch the lowest and the highest, so that no spike is lost."""
    rows = np.arange(len(values))
    if len(values) <= _MOST_POINTS:
        return rows
    kept = {len(values) - 1}
    for stretch in np.array_split(rows, _MOST_POINTS // 2):
        finite = stretch[np.isfinite(values[stretch])]
        found = values[finite]
        kept |= {finite[found.argmin()], finite[found.argmax()]} if len(finite) else {stretch[0]}
    return np.array(sorted(kept))


def _path(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    parts, drawing = [], False
    for right, down in zip(x, y, strict=True):
        if np.isfinite(down):
            # A line of no length: a value between two gaps is drawn as a dot.
            parts.append(f"L{right:.1f} {down:.1f}" if drawing else f"M{right:.1f} {down:.1f}h0")
        drawing = bool(np.isfinite(down))
    return "".join(parts)
