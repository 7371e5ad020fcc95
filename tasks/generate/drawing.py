"""Who draws a release, and in which precision."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from gan.configuration.vocabulary import AskedPrecision, Precision
from gan.device.precision import emulation_warning, native_bf16
from gan.generation.precision import LEAST_ALIKE, share_alike
from gan.generation.program_file import load_program_bytes
from gan.generation.sampling import Program, draw
from gan.release.rows import Rows
from gan.release.shard import Images
from tasks.evaluate.on_ray import all_nodes_have_bf16
from tasks.generate.here import Here
from tasks.generate.in_processes import InProcesses
from tasks.generate.on_ray import OnRay
from tasks.generate.packed import Drawer
from tasks.runtime.settings import Settings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Probe:
    """Some images that a program draws, by which it is told what its images are like.

    Attributes:
        seeds: [n] int64.
        labels: [n] int64.
        images: [n, H, W, C] uint8.
    """

    seeds: Rows
    labels: Rows
    images: Images

    @classmethod
    def of(cls, program: Program, seeds: Rows, labels: Rows) -> Self:
        """Draw them."""
        return cls(seeds, labels, np.concatenate(list(draw(program, seeds, labels))))


def find_drawer(
    settings: Settings, content: bytes, file: str, workers: int | None, precision: Precision, on_warning: Say
) -> Drawer:
    """Return what draws: a cluster where one is named, Ray's processes where they are asked for, else this machine.

    Args:
        settings: name the cluster.
        content: the program's file.
        file: what it is called in a sentence.
        workers: processes that draw; None: as many as are worth it here, or all of a cluster.
        precision: that this process draws in; others find it in the recipe.
        on_warning: called with a sentence for the user.
    """
    if settings.on_cluster or (workers or 1) > 1:
        return OnRay(settings, content, workers, on_warning)
    device = _device()
    here = Here(load_program_bytes(content, file, device, precision), device)
    return here if workers or device.type != "cpu" else InProcesses(here, content)


def choose_precision(
    settings: Settings,
    asked: AskedPrecision,
    content: bytes,
    file: str,
    probe: Probe,
    on_warning: Say,
) -> Precision:
    """Answer `auto`: bfloat16 where all that draws has instructions for it, and its images are those of float32.

    Args:
        settings: name the cluster, if one draws.
        asked: as the configuration says it.
        content: the program's file.
        file: what it is called in a sentence.
        probe: what the program draws in float32.
        on_warning: called with a sentence where bfloat16 is asked for and only emulated.
    """
    if asked != "auto":
        warning = emulation_warning("release.precision", _device()) if asked == "bf16" else None
        if warning and not settings.on_cluster:
            on_warning(warning)
        return asked
    if not (all_nodes_have_bf16(settings) if settings.on_cluster else native_bf16(_device())):
        return "fp32"
    program = load_program_bytes(content, file, precision="bf16")
    again = Probe.of(program, probe.seeds, probe.labels)
    return "bf16" if share_alike(again.images, probe.images) >= LEAST_ALIKE else "fp32"


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
