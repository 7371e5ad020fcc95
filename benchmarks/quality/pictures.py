"""What a person would rather look at than a figure: a grid of each cell, and its most suspicious images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from quality.data import Labelled
from quality.kept import write_whole

COLUMNS = 10


def draw_pictures(
    folder: Path, generated: Labelled, training: Labelled, record: dict[str, Any], say: Callable[[str], None]
) -> None:
    """Write `samples.png`, a row for each class, and `copies.png` if copies were looked for.

    The latter has pairs of rows: generated images above the training images that are nearest by pixels.

    Args:
        folder: of the cell.
        generated: its images.
        training: what it was trained on.
        record: its scores.
        say: told where pictures cannot be written.
    """
    try:
        from gan.generation.grids import class_grid_png, grid_png
    except ImportError as error:
        say(f"no pictures: {error.name} is missing here; the same command where it is there draws them")
        return
    labels = generated.labels if record["conditional"] else np.zeros_like(generated.labels)
    pictures = {"samples.png": class_grid_png(generated.images, labels)}
    if "copies" in record:
        pairs = record["copies"]["pixels"]["pairs"][: 2 * COLUMNS]
        rows = []
        for start in range(0, len(pairs) - COLUMNS + 1, COLUMNS):
            part = pairs[start : start + COLUMNS]
            rows += [generated.images[[pair["generated"] for pair in part]]]
            rows += [training.images[[pair["training"] for pair in part]]]
        if rows:
            pictures["copies.png"] = grid_png(np.concatenate(rows), COLUMNS)
    for name, content in pictures.items():
        write_whole(folder / name, lambda partial, content=content: partial.write_bytes(content))
