"""Processor cores that this process may use."""

import os


def cores() -> int:
    """Return how many cores this process may use: all of the machine, or those that it is bound to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
