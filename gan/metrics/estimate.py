"""What every metric returns: a number with the interval that its images leave it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval, for drawing images anew; each metric says which.

    Attributes:
        value: the score.
        low: lower end of the interval, in the units of the score.
        high: upper end.
    """

    value: float
    low: float
    high: float
