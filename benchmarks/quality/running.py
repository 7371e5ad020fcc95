"""One cell from its training to its record; whatever is finished is not done again."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan.device.machine import processor_name
from quality.cells import Cell
from quality.data import Data, Labelled, load, subset
from quality.kept import kept, kept_array, read_json, write_json
from quality.measuring import Judge, draw, judge_cell, reference_of, usual_kernels
from quality.pictures import draw_pictures
from quality.training import require_same, train_cell


@dataclass
class Place:
    """Where cells run.

    Attributes:
        out: folder of the benchmark.
        source: folder of published sets; None where they are kept in `out` already.
        device: where to compute.
        judge: of generated images; None leaves them unjudged.
        say: told how far it is.
    """

    out: Path
    source: Path | None
    device: torch.device
    judge: Judge | None
    say: Callable[[str], None]
    _data: dict[tuple[str, str], Data] = field(default_factory=dict)

    def data(self, cell: Cell) -> Data:
        """Return what a cell trains on.

        Raises:
            DatasetError: the set is not there.
        """
        key = (cell.experiment.dataset, cell.subset)
        if key not in self._data:
            self._data[key] = subset(load(key[0], self.out, self.source, cell.experiment.resolution), key[1])
        return self._data[key]


def finished(cell: Cell, place: Place, images: int) -> dict[str, Any] | None:
    """Return the record of a cell if it is finished, pictures and all.

    Raises:
        ConfigError: its folder holds another training.
    """
    folder = place.out / cell.name
    record = read_json(folder / "result.json")
    if record is None or not (folder / "samples.png").exists():
        return None
    require_same(cell, place.data(cell), folder)
    asked = (images, place.judge.precision if place.judge else record["protocol"]["precision"])
    return record if (record["images"], record["protocol"]["precision"]) == asked else None


def run_cell(cell: Cell, place: Place, images: int) -> dict[str, Any] | None:
    """Train a cell, draw its images and judge them; each as far as it is not done.

    Args:
        cell: what to run.
        place: where.
        images: to draw.

    Returns:
        Its record, which also lies in its folder; None where there is no judge.

    Raises:
        ConfigError: its folder holds another training.
        NonFiniteLossError: its training broke down.
        LeftError: it was asked to end amid its training.
    """
    folder, data = place.out / cell.name, place.data(cell)
    require_same(cell, data, folder)
    config = cell.config()
    labels = np.resize(reference_of(cell, data, images).labels, images)  # the reference's shares of classes
    drawn, told = folder / f"images-{images}.npy", folder / "training.json"
    if not (drawn.exists() and told.exists()):
        looked_by = min(images, cell.experiment.images_on_the_way)
        trained = train_cell(cell, data, folder, place.device, place.say, place.judge, looked_by)
        kept(told, lambda: trained.record | {"hardware": hardware(place.device)})
        with usual_kernels():
            kept_array(drawn, lambda: draw(trained.run.nets.G_ema, labels, place.device))
    generated = Labelled(np.load(drawn, allow_pickle=False), labels)
    if place.judge is None:
        return None
    with usual_kernels():
        scores = judge_cell(place.judge, cell, data, generated, folder / f"scores-{images}-{place.judge.precision}")
    record = {
        "cell": cell.name,
        "experiment": cell.experiment.name,
        "subset": cell.subset,
        "variant": cell.variant.name,
        "first_variant": cell.experiment.variants[0].name,
        "overrides": list(cell.overrides),
        "seed": cell.seed,
        "budget": str(cell.budget),
        "training_images": len(data.train),
        "images": images,
        "conditional": config.network.conditional,
        "training": read_json(told),
    }
    draw_pictures(folder, generated, data.train, record | scores, place.say)
    write_json(folder / "result.json", record | scores)
    return record | scores


def hardware(device: torch.device) -> dict[str, Any]:
    """Return what a cell was trained on."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "load_after": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
