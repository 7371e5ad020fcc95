"""The clock by which benchmarks measure what a device computes."""

import time

import torch


def now(device: torch.device) -> float:
    """Return seconds, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
