"""Whether a registered version is to others what its checkpoint is: loaded without this project, the same images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from gan.errors import UnsafeModelError
from gan.evaluation.reason import Reason
from gan.generation.export import SeededGenerator
from gan.text.shown import last_line_of, reason_of
from tasks.runtime.scratch import scratch_folder
from tasks.runtime.settings import Settings
from tasks.tracking.checked_copy import checked_copy
from tasks.tracking.client import NO_PICKLE, QUIET
from tasks.tracking.versions import RegisteredModel

CONSUMER = Path(__file__).parents[1] / "tracking" / "consumer.py"
CHECK = "program"
SEEDS = (0, 1, 2**40 + 1, -5)


def same_to_others(settings: Settings, model: RegisteredModel, generator: SeededGenerator, seconds: float) -> Reason:
    """Load a version as its users do, in a new process without this project, and hold its images against G_ema's.

    What MLflow's loader would run is looked for before, and refused.

    Args:
        settings: where the registry is.
        model: the version.
        generator: G_ema of its checkpoint, eager.
        seconds: after which that process is ended.

    Raises:
        ServiceError: MLflow or its artifact store is away.
    """
    last = len(model.class_names) - 1
    rows = [[seed, -1 if index % 2 else last] for index, seed in enumerate(SEEDS)]
    with scratch_folder(settings, "consumer") as folder:
        images = folder / "images.npy"
        try:
            told = _consumed(checked_copy(settings, model, folder / "model"), rows, images, seconds)
        except UnsafeModelError as error:
            told = reason_of(error)
        if told:
            return Reason(check=CHECK, passed=False, said=f"its program cannot be used without ganflow: {told}")
        found = np.load(images, allow_pickle=False)
    with torch.no_grad():
        wanted = generator(torch.tensor(rows, dtype=torch.int64)).numpy()
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        said = f"its program draws {found.dtype} {list(found.shape)}, and G_ema {wanted.dtype} {list(wanted.shape)}"
        return Reason(check=CHECK, passed=False, said=said)
    apart = int(np.abs(found.astype(int) - wanted).max())
    said = f"loaded without ganflow, its program draws images {apart} of 255 grey levels from G_ema's at most"
    return Reason(check=CHECK, passed=apart <= 1, said=said)


def _consumed(model: Path, rows: list[list[int]], images: Path, seconds: float) -> str | None:
    """Have the images drawn; returns why that failed."""
    command = [sys.executable, "-P", str(CONSUMER), str(model), json.dumps(rows), str(images)]
    try:
        done = subprocess.run(
            command,
            cwd=images.parent,
            env={**os.environ, **QUIET, **NO_PICKLE},
            capture_output=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return f"loading it and drawing {len(rows)} images took more than gate.load_seconds {seconds:g}"
    return last_line_of(done.stderr.decode(errors="replace")) if done.returncode else None
