"""A picture of samples from a registered generator."""

import os
from pathlib import Path

import numpy as np

from gan.data.pixels.png import with_chunks
from gan.errors import InputError
from gan.generation.grids import grid_png
from gan.generation.sampling import draw
from gan.release.marks import Mark, png_chunks
from tasks.runtime.settings import Settings
from tasks.tracking.registry import load_program, require_label
from tasks.tracking.versions import find_model


def write_samples(
    settings: Settings, model: str, output: Path, *, label: int, count: int, seed: int, psi: float = 1.0
) -> int:
    """Draw `count` images with consecutive seeds into a PNG grid, about square; return the model's version.

    Args:
        settings: where the registry is.
        model: an alias or version.
        output: the file.
        label: a class, or -1 for those that the seeds draw.
        count: images.
        seed: of the first.
        psi: truncation, in (0, 1]; 1 for none.

    Raises:
        TruncationError: the version's network cannot be had.
        ModelNotFoundError: there is no such version.
        LabelError: the label is no class of the model.
        InputError: the file cannot be written.
    """
    found = find_model(settings, model)
    require_label(found, label)
    seeds = np.arange(seed, seed + count, dtype=np.int64)
    batches = draw(load_program(settings, found, psi), seeds, np.full(count, label, dtype=np.int64))
    grid = grid_png(np.concatenate(list(batches)), columns=int(np.ceil(np.sqrt(count))))
    png = with_chunks(grid, png_chunks(Mark(found.name, found.version, found.dataset_md5, "")))
    try:
        output.write_bytes(png)
    except OSError as error:
        raise InputError(
            f"{output} cannot be written ({os.strerror(error.errno or 0)}): give -o another path"
        ) from None
    return found.version
