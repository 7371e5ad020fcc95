"""What one cell is judged by: distances, what it has learned by heart, and whether its images are of use."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan.configuration.vocabulary import Precision
from gan.evaluation.extraction import LocalExtraction
from gan.evaluation.scores import distribution_scores, kid_metric
from gan.generation.sampling import sample_uint8
from gan.metrics.copies import find_copies
from gan.metrics.feature_set import FeatureSet, collect
from gan.metrics.features import FeatureExtractor
from gan.metrics.kid import kid
from gan.metrics.network import inception
from gan.metrics.pixel_copies import find_pixel_copies
from gan.metrics.protocol import METRICS_VERSION
from gan.metrics.weights import find_inception_weights
from gan.networks.interface import Generator
from quality.cells import RARE, Cell
from quality.data import RARE_CLASS, RARE_KEPT, Data, Labelled
from quality.kept import kept, kept_array

PART = 1024
DRAW = 256
NEIGHBOURS = 5
CLASSIFIER_SEEDS, CLASSIFIER_STEPS = 3, 600
LEVEL = 0.005
Say = Callable[[str], None]


@dataclass
class Judge:
    """The feature network, and the features that it has made before.

    Attributes:
        out: the benchmark's folder.
        device: where the network computes.
        precision: of the network.
        weights: file of the network; None looks for it.
        say: told how far it is.
    """

    out: Path
    device: torch.device
    precision: Precision
    weights: Path | None
    say: Say

    def require_weights(self) -> Path:
        """Return where the network's weights are.

        Raises:
            WeightsError: they are not to be found.
        """
        return find_inception_weights(self.weights, self.out)

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """The network with FID's own resize."""
        weights = self.require_weights()
        return FeatureExtractor(inception(weights, precision=self.precision, device=self.device), resize="tf1")

    def of_real(self, real: Labelled) -> FeatureSet:
        """Return the features of real images, made once for all cells."""
        return self.features(real.images, self.out / "features" / real.digest)

    def features(self, images: np.ndarray, folder: Path) -> FeatureSet:
        """Return the features of images [N, H, W, C] uint8; what a killed command made of them is not made again."""
        folder = folder / f"{self.extractor.resize}-{self.precision}-{METRICS_VERSION}"
        extraction, pieces = LocalExtraction(self.extractor), []
        for start in range(0, len(images), PART):
            rows = np.arange(start, min(start + PART, len(images)))
            self.say(f"features of {rows[-1] + 1:,} of {len(images):,} images")
            path = folder / f"{start}-{len(rows)}.npy"
            pieces.append(
                kept_array(path, lambda rows=rows: extraction.of_images(images, rows, lambda done: None).features)
            )
        return collect(pieces)

    @property
    def protocol(self) -> dict[str, Any]:
        """What scores hold under, beside the images."""
        network = self.extractor.network
        found = {"resize": self.extractor.resize, "precision": self.precision, "code_version": METRICS_VERSION}
        return found | {"network": network.name, "network_sha256": network.sha256, "neighbours": NEIGHBOURS}


@contextlib.contextmanager
def usual_kernels() -> Iterator[None]:
    """Let cuDNN take kernels by its rules, and not look for the fastest as a training does.

    Inception has 43 shapes of convolutions, and comes with several sizes of batches: looking would take longer.
    """
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def reference_of(cell: Cell, data: Data, images: int) -> Labelled:
    """Return the real images that a cell is compared with, a keyed choice."""
    return (data.train if cell.experiment.reference == "train" else data.test).head(images)


def draw(G: Generator, labels: np.ndarray, device: torch.device) -> np.ndarray:
    """Return the images [N, H, W, C] uint8 of the seeds from 0 up with these labels [N]."""
    seeds, wanted = torch.arange(len(labels)), torch.from_numpy(labels)
    parts = zip(torch.split(seeds, DRAW), torch.split(wanted, DRAW), strict=True)
    return np.concatenate([sample_uint8(G, *part, device) for part in parts])


def judge_cell(judge: Judge, cell: Cell, data: Data, generated: Labelled, folder: Path) -> dict[str, Any]:
    """Return the scores of a cell; each kind of them is kept as soon as it is there.

    Args:
        judge: with the feature network.
        cell: what is judged.
        data: of the cell.
        generated: its images.
        folder: for what is kept.
    """
    count = len(generated)
    reference = reference_of(cell, data, count)
    features = judge.features(generated.images, folder / "features")
    real = judge.of_real(reference)

    def distances() -> dict[str, Any]:
        found, _ = distribution_scores(features, real, judge.extractor.network, neighbours=NEIGHBOURS)
        return {name: metric.model_dump() for name, metric in found.items()}

    record: dict[str, Any] = {"reference_images": len(reference), "protocol": judge.protocol}
    record["metrics"] = kept(folder / "distances.json", distances)
    if cell.experiment.looks_for_copies:
        training = judge.of_real(data.train)
        by_heart = (features, generated), (training, data.train), (real, reference)
        record["copies"] = kept(folder / "copies.json", lambda: copies(*by_heart, str(judge.device)))
        learned = kid_metric(kid(training.features, real.features))
        record["kid_of_training_images"] = learned.model_dump()
    if cell.subset == RARE:
        made = folder / "rare_class.json"
        record["rare_class"] = kept(made, lambda: gain(data, generated, judge.device, judge.say))
    return record


Side = tuple[FeatureSet, Labelled]


def copies(generated: Side, training: Side, holdout: Side, device: str) -> dict[str, Any]:
    """Return how many generated images are copies of training images, by features and by pixels."""
    by_features = find_copies(
        *(features.features for features, _ in (generated, training, holdout)), level=LEVEL, device=device
    )
    by_pixels = find_pixel_copies(
        *(images.images for _, images in (generated, training, holdout)), level=LEVEL, device=device
    )
    return {"features": asdict(by_features), "pixels": asdict(by_pixels)}


def gain(data: Data, generated: Labelled, device: torch.device, say: Say) -> dict[str, Any]:
    """Return what generated images of the rare class add for classifiers that are judged on all held out images."""
    from gan.usefulness.arms import ClassifierRecipe
    from gan.usefulness.augmentation import augmentation_gain

    found = augmentation_gain(
        *(data.complete.images, data.complete.labels),
        *(generated.images, generated.labels),
        *(data.test.images, data.test.labels),
        data.num_classes,
        rare_class=RARE_CLASS,
        keep=RARE_KEPT,
        seeds=CLASSIFIER_SEEDS,
        recipe=ClassifierRecipe(steps=CLASSIFIER_STEPS, device=device),
        on_progress=lambda done, total: say(f"classifiers, {done:,} of {total:,} steps"),
    )
    counts = {"rare_class": found.rare_class, "kept": found.kept, "added": found.added, "left_out": found.left_out}
    recalls = {arm: getattr(found, arm).recalls for arm in ("without", "augmented", "full")}
    metrics = {name: asdict(estimate) for name, estimate in found.to_metrics().items()}
    return counts | {"classifier_seeds": CLASSIFIER_SEEDS, "recalls": recalls, "metrics": metrics}
