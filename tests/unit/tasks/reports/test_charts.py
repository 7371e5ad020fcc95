"""Where lines and ticks go."""

import re

import numpy as np
import pytest

from tasks.reports.charts import FRAME, Curve, plot


def points(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+?) ([0-9.]+)", path)]


def test_a_curve_fills_its_frame():
    drawn = plot(Curve("kid", [0, 5, 10], [0.0, 2.0, 1.0]), best_kimg=6)
    assert points(drawn.path) == [(FRAME.left, FRAME.bottom), (177, FRAME.top), (FRAME.right, 79)]
    assert drawn.best == (177, FRAME.top)
    assert [label for _, label in drawn.y_ticks] == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert [label for _, label in drawn.x_ticks] == ["0.0", "2.5", "5.0", "7.5", "10.0"]
    assert (drawn.last, drawn.logarithmic, drawn.trend) == ("1", False, "")
    assert drawn.summary == "kid over 0 to 10 kimg: at last 1, lowest 0 at 0 kimg, highest 2"
    assert plot(Curve("kid", [0, 5, 10], [0.0, 2.0, 1.0]), best_kimg=11).best is None


def test_what_is_not_finite_leaves_a_gap():
    drawn = plot(Curve("x", [0, 1, 2, 3, 4, 5], [1, float("nan"), 2, float("inf"), 1, float("nan")]), best_kimg=5)
    assert drawn.path.count("M") == 3
    assert "L" not in drawn.path
    assert drawn.last == "1"
    assert drawn.best[0] == pytest.approx(FRAME.left + 0.8 * (FRAME.right - FRAME.left))
    assert plot(Curve("x", [0, 1], [float("nan")] * 2)) is None
    assert plot(Curve("x", [0, 1], [1e300, -1e300])) is None
    assert plot(Curve("x", [], [])) is None


def test_curves_that_fall_by_decades_are_logarithmic():
    drawn = plot(Curve("kid", [0, 1, 2], [1.0, 0.1, 0.01]))
    assert drawn.logarithmic
    assert [label for _, label in drawn.y_ticks] == ["0.01", "0.1", "1"]
    assert [y for _, y in points(drawn.path)] == [FRAME.top, 79, FRAME.bottom]
    assert len(plot(Curve("x", [0, 1], [1e-30, 1e30])).y_ticks) <= 7
    assert not plot(Curve("x", [0, 1, 2], [1.0, 0.1, 0.0])).logarithmic


def test_long_curves_are_thinned_but_keep_spikes_and_the_end():
    values = np.sin(np.arange(10_000) / 500)
    values[5003], values[-2:] = 9.0, [-0.9, 0.123]
    drawn = plot(Curve("D_loss", np.arange(10_000.0), values))
    kept = points(drawn.path)
    assert len(kept) <= 601
    assert min(y for _, y in kept) == pytest.approx(FRAME.bottom - 138 * (9 + 2.5) / 12.5, abs=0.1)
    assert kept[-1] == pytest.approx((FRAME.right, FRAME.bottom - 138 * (0.123 + 2.5) / 12.5), abs=0.1)
    assert len(points(drawn.trend)) == 60


@pytest.mark.parametrize(
    "values", [[7.0], [7.0, 7.0], [0.0, 0.0], [-1e99, 1e99], [1e8, 1e8 + 1], [5e-324, 1.0], [1e-9, 1e99]]
)
def test_no_curve_breaks_the_axis(values):
    drawn = plot(Curve("x", list(range(len(values))), values))
    assert 2 <= len(drawn.y_ticks) <= 8
    assert all(FRAME.top - 1 <= y <= FRAME.bottom + 1 for _, y in points(drawn.path))


def test_the_order_of_points_does_not_matter():
    assert plot(Curve("x", [2, 0, 1], [3.0, 1.0, 2.0])) == plot(Curve("x", [0, 1, 2], [1.0, 2.0, 3.0]))
