"""The winner of a search and the preset, drawn from seeds that chose nothing, and compared image by image."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from gan.configuration.config import EvaluationConfig
from gan.evaluation.evaluator import paired_labels
from gan.evaluation.extraction import Extraction
from gan.evaluation.real import RealFeatures
from gan.evaluation.scores import kid_metric, require_enough
from gan.generation.sampling import on_device
from gan.metrics.evaluation import Metric
from gan.metrics.kid import kid
from gan.metrics.paired import kid_influences, paired_difference
from tasks.evaluate.extraction import open_extraction, resolve_precision
from tasks.evaluate.references import dataset_version
from tasks.runtime.settings import Settings
from tasks.tracking.registry import load_generator


class Judged(BaseModel):
    """Two trainings, each by its KID on fresh seeds, and the difference of the two.

    Attributes:
        winner: of the trial that had the lowest KID beside training.
        preset: of the preset itself, trained as long.
        difference: the winner's minus the preset's, paired by seed and class, with its 95 % interval.
        images: generated of each.
        reference: real images that they were held against.
    """

    model_config = ConfigDict(frozen=True)

    winner: Metric
    preset: Metric
    difference: Metric
    images: int
    reference: int

    @property
    def beats(self) -> bool:
        """Whether the winner is better by more than drawing images anew explains."""
        return self.difference.high is not None and self.difference.high < 0


def judge(
    settings: Settings,
    config: EvaluationConfig,
    dataset_md5: str,
    class_names: Sequence[str],
    winner: Path,
    preset: Path,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Judged:
    """Draw the same seeds and classes from both, and compare their KID.

    The seeds are those of an evaluation, from `evaluation.seed` on; those by which trials and checkpoints were picked
    lie below zero.

    Args:
        settings: where dataset and network are.
        config: how many images, against which split, and how features are made.
        dataset_md5: what both were trained on.
        class_names: its classes.
        winner: checkpoint folder.
        preset: likewise.
        on_progress: called with how many images are done.
    """
    config = resolve_precision(settings, config)
    features = RealFeatures(
        dataset_version(settings, dataset_md5, class_names),
        open_extraction(settings, config),
        settings.cache_dir,
        config.seed,
    )
    return compare(features, config, winner, preset, on_progress)


def compare(
    features: RealFeatures, config: EvaluationConfig, winner: Path, preset: Path, on_progress: Callable[[int], None]
) -> Judged:
    """As `judge`, with the features of the real images."""
    split, count = config.reference_split, config.num_images
    rows = features.rows(split, config.most_reference(len(features.real.splits[split])))
    require_enough(count, len(rows))
    real = features.of(split, count, on_progress).features
    labels = paired_labels(np.asarray(features.real.splits[split].labels, dtype=np.int64)[rows], count)
    seeds = np.arange(config.seed, config.seed + count, dtype=np.int64)
    a, b = (_drawn(features.extraction, each, seeds, labels, on_progress) for each in (winner, preset))
    return Judged(
        winner=kid_metric(kid(a, real)),
        preset=kid_metric(kid(b, real)),
        difference=Metric.of(paired_difference(kid_influences(a, real), kid_influences(b, real))),
        images=count,
        reference=len(real),
    )


def _drawn(
    extraction: Extraction,
    checkpoint: Path,
    seeds: np.ndarray,
    labels: np.ndarray,
    on_progress: Callable[[int], None],
) -> np.ndarray:
    device = extraction.extractor.network.device
    program = on_device(load_generator(checkpoint).to(device), device)
    found, _ = extraction.of_program(program, seeds, labels, on_progress)
    return found.features
