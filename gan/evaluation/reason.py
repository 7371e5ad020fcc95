"""What one look of the gate says."""

from gan.configuration.config import Frozen
from gan.metrics.evaluation import Metric

BY_HAND = "a person decides, with `ganflow promote VERSION --force --reason …`"


class Reason(Frozen):
    """What one look at a candidate says."""

    check: str
    passed: bool
    said: str


def with_ends(metric: Metric) -> str:
    """Return a share with its interval, as in a sentence."""
    ends = "" if metric.low is None or metric.high is None else f" ({metric.low:.3f} to {metric.high:.3f})"
    return f"{metric.value:.3f}{ends}"
