"""The table of scores: texts and bars of each metric under its heading."""

from collections.abc import Mapping
from typing import NamedTuple

from gan.metrics.evaluation import Metric
from tasks.reports.bars import Bar, bar, bar_scale, number
from tasks.reports.metric_texts import KINDS, Kind, describe_metric, rank


class ScoreRow(NamedTuple):
    """A line of the table.

    Attributes:
        key: as in `Evaluation.metrics`.
        kind: what it stands for.
        note: how it was computed.
        value: the score.
        interval: its ends.
        bar: both drawn.
        real: what real images score.
    """

    key: str
    kind: Kind
    note: str
    value: str
    interval: tuple[str, str] | None
    bar: Bar
    real: str | None


def metric_groups(metrics: Mapping[str, Metric], baseline: Mapping[str, Metric]) -> dict[str, list[ScoreRow]]:
    """Return the lines under their headings, both in the order of `KINDS`; unknown metrics come last.

    Args:
        metrics: scores by key.
        baseline: scores of real images; one counts for the metric of its name, whatever the number of images.
    """
    real = {describe_metric(key).name: metric for key, metric in baseline.items()}
    if "cas_real" in metrics:
        real[KINDS["cas"].name] = metrics["cas_real"]
    found: dict[str, list[ScoreRow]] = {}
    for key in sorted(metrics, key=rank):
        kind = describe_metric(key)
        found.setdefault(kind.group, []).append(_row(key, metrics[key], kind, real.get(kind.name)))
    return found


def bounds(metric: Metric) -> tuple[float, float] | None:
    """Return the ends of a metric's interval, or None where it has none."""
    return None if metric.low is None or metric.high is None else (metric.low, metric.high)


def texts(metric: Metric) -> tuple[str, tuple[str, str] | None]:
    """Return a metric's value and the ends of its interval with the digits that mean something."""
    if not (interval := bounds(metric)):
        return number(metric.value), None
    low, high = interval
    return number(metric.value, high - low), (number(low, high - low), number(high, high - low))


def _row(key: str, metric: Metric, kind: Kind, real: Metric | None) -> ScoreRow:
    interval, mark = bounds(metric), real.value if real else None
    reached = [metric.value, *(interval or ()), *([] if mark is None else [mark])]
    scale = bar_scale(reached, at_least=kind.at_least, symmetric=kind.symmetric)
    drawn = bar(metric.value, interval, scale, mark)
    return ScoreRow(key, kind, metric.note, *texts(metric), drawn, texts(real)[0] if real else None)
