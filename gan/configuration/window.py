"""`data.window`: which values of images of more than 8 bits are shown as 0 to 255."""

import math
import re
from typing import Literal, NamedTuple

_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)"
_VALUES = re.compile(f"{_NUMBER}:{_NUMBER}", re.I)
_PERCENTILES = re.compile(f"p{_NUMBER}:p{_NUMBER}", re.I)


class Window(NamedTuple):
    """What was asked for.

    Attributes:
        kind: `auto` and `percentiles` follow from the values of the whole dataset, `full` from their type.
        low: the value that becomes 0; of `percentiles` the share of lower values, in per cent.
        high: the value that becomes 255; of `percentiles` the share of values up to it, in per cent.
    """

    kind: Literal["auto", "full", "values", "percentiles"]
    low: float = 0.0
    high: float = 0.0

    @property
    def from_data(self) -> bool:
        """Whether all images have to be seen before one can be shown."""
        return self.kind in {"auto", "percentiles"}


def known_window(text: str) -> str:
    """Return the text as it is.

    Raises:
        ValueError: as of `parse_window`.
    """
    parse_window(text)
    return text


def parse_window(text: str) -> Window:
    """Read `auto`, `full`, `LO:HI` or `pLO:pHI`.

    Raises:
        ValueError: it is none of them, or the second number is not above the first.
    """
    if text == "auto":
        return Window("auto")
    if text == "full":
        return Window("full")
    if found := _VALUES.fullmatch(text):
        low, high = map(float, found.groups())
        if math.isfinite(high - low) and low < high:
            return Window("values", low, high)
    if found := _PERCENTILES.fullmatch(text):
        low, high = map(float, found.groups())
        if 0 <= low < high <= 100:
            return Window("percentiles", low, high)
    raise ValueError(
        f"data.window is «{text[:80]}» but must be auto, full, two values such as 0:4095, or two percentiles such as "
        "p1:p99, the lower one first"
    )
