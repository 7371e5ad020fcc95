"""Figures as benchmarks print them."""

import statistics
import sys
from collections.abc import Sequence
from typing import Any


def short(value: float) -> float:
    """Return four digits of a figure."""
    return float(f"{value:.4g}")


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return the values, their median and their ends."""
    each = [short(value) for value in values]
    return {"median": short(statistics.median(values)), "min": min(each), "max": max(each), "each": each}


def say(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)
