"""What computes: facts by which two trainings of the same configuration may differ in their last bits."""

import contextlib
import os
import platform
from pathlib import Path
from typing import Any

import torch

ONEDNN_LIMIT = "ONEDNN_MAX_CPU_ISA"


def machine_facts(device: torch.device, *, threads: int, workers: int) -> dict[str, Any]:
    """Return what a checkpoint says of where it was made; no name of a host or a user is in it.

    Args:
        device: that networks run on.
        threads: that a worker has on the CPU.
        workers: how many share a batch.
    """
    return {"torch": torch.__version__, "device": device_name(device), "threads": threads, "workers": workers}


def device_name(device: torch.device) -> str:
    """Return what a device is called: a GPU's name, or the processor's with the instructions that PyTorch uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    held = os.environ.get(ONEDNN_LIMIT)
    return f"{processor_name()}, {torch.backends.cpu.get_cpu_capability()}" + (
        f", oneDNN held to {held}" if held else ""
    )


def processor_name() -> str:
    """Return what this machine's processor is called."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
