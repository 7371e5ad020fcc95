"""Published sets, prepared as `ganflow ingest` does it, and the choices of few images from them."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gan.errors import DatasetError
from gan.keyed_random import epoch_order
from quality.cells import EVERYTHING, FEW, ONE_CLASS, PHOTOGRAPHS, RARE
from quality.kept import write_whole

SPLITS = ("train", "test")
FEW_IMAGES, CLASS_IMAGES, THE_CLASS = 500, 50, 0
PHOTOGRAPHS_KEPT, PHOTOGRAPHED = 100, 1
"""Of CIFAR-10 the car."""
RARE_CLASS, RARE_KEPT = 6, 20
"""Of Fashion-MNIST the shirt, which classifiers miss most often: something can be gained there."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images with their classes.

    Attributes:
        images: [N, H, W, C] uint8.
        labels: [N] int64.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Labelled":
        """Return the images of these rows [n] int64."""
        return Labelled(self.images[rows], self.labels[rows])

    def head(self, count: int) -> "Labelled":
        """Return a keyed choice of at most `count` images; that of fewer begins it."""
        return self.take(keyed(len(self))[:count])

    @property
    def digest(self) -> str:
        """Name of these images in this order."""
        content = hashlib.sha256(repr(self.images.shape).encode())
        for array in (self.images, self.labels):
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Data:
    """What one cell trains on and is held against.

    Attributes:
        train: images to train on.
        test: images held out, of the same classes.
        num_classes: of all the images.
        complete: images to train on before a class was made rare; else the same as `train`.
    """

    train: Labelled
    test: Labelled
    num_classes: int
    complete: Labelled


def keyed(size: int) -> np.ndarray:
    """Return the order in which evaluations choose images, [size] int64."""
    return epoch_order(0, 0, size).numpy()


def load(dataset: str, out: Path, source: Path | None, resolution: int) -> Data:
    """Return a whole set, prepared on the first call and kept in `out` as one file.

    Args:
        dataset: name of the set, and of its folder in `source`.
        out: the benchmark's folder.
        source: folder of published sets; not looked at if the set is kept.
        resolution: side in pixels that its images are prepared at.

    Raises:
        DatasetError: the set is neither kept nor in the source.
    """
    path = out / "data" / f"{dataset}-{resolution}.npz"
    if not path.exists():
        if source is None or not (source / dataset).is_dir():
            raise DatasetError(
                f"{dataset} is neither at {path} nor in {source}: name the folder of published sets by --data or "
                "GANFLOW_TEST_DATA"
            )
        splits = _prepare(source / dataset, path.parent / f"{dataset}-work", resolution)
        arrays = {f"{split}_{part}": getattr(splits[split], part) for split in SPLITS for part in ("images", "labels")}
        write_whole(path, lambda partial: np.savez_compressed(partial, allow_pickle=False, **arrays))
    with np.load(path, allow_pickle=False) as found:
        train, test = (Labelled(found[f"{split}_images"], found[f"{split}_labels"]) for split in SPLITS)
    return Data(train, test, int(train.labels.max()) + 1, train)


def _prepare(source: Path, work: Path, resolution: int) -> dict[str, Labelled]:
    # a GPU machine may lack what reads and writes datasets: there the file is brought along
    from gan.configuration.config import DataConfig
    from gan.data.building.build import build_dataset
    from gan.data.sources.detect import open_source
    from gan.data.sources.spec import SourceSpec
    from gan.data.store.resident import load_resident

    shutil.rmtree(work, ignore_errors=True)
    try:
        opened = open_source(SourceSpec(str(source)), work / "files")
        config = DataConfig(resolution=resolution)
        build_dataset(opened, config, work / "data", work=work / "parts", quarantine=work / "quarantine.jsonl")
        found = {split: load_resident(work / "data", split, cache_dir=work, md5="arrays") for split in SPLITS}
        return {split: Labelled(np.array(each.images), each.labels) for split, each in found.items()}
    finally:
        shutil.rmtree(work, ignore_errors=True)


def subset(data: Data, name: str) -> Data:
    """Return a choice of training images, the same for every seed, and the held out images that it is judged by.

    `500` are random, `one-class` are 50 of class 0, `100-of-a-class` are 100 of class 1. `rare` are 50 of each class
    but for one that keeps 20: the rows of `gan.usefulness.rare_class`, so that the generator never sees what the
    comparison calls left out.
    """
    if name == EVERYTHING:
        return data
    if name == FEW:
        few = data.train.head(FEW_IMAGES)
        return Data(few, data.test, data.num_classes, few)
    if name in (ONE_CLASS, PHOTOGRAPHS):
        label, kept = (THE_CLASS, CLASS_IMAGES) if name == ONE_CLASS else (PHOTOGRAPHED, PHOTOGRAPHS_KEPT)
        train, test = (each.take(np.flatnonzero(each.labels == label)) for each in (data.train, data.test))
        few = train.head(kept)
        return Data(few, test, 0, few)
    if name == RARE:
        return _with_a_rare_class(data)
    raise ValueError(f"there is no subset {name!r}")


def _with_a_rare_class(data: Data) -> Data:
    from gan.usefulness.rare_class import reduce_class

    order = keyed(len(data.train))
    labels = data.train.labels[order]
    each = FEW_IMAGES // data.num_classes
    rows = np.concatenate([order[np.flatnonzero(labels == label)[:each]] for label in range(data.num_classes)])
    complete = data.train.take(rows)
    return Data(
        complete.take(reduce_class(complete.labels, RARE_CLASS, RARE_KEPT)), data.test, data.num_classes, complete
    )


def device_of(name: str) -> torch.device:
    """Return the device of this name; `auto` is the GPU where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
