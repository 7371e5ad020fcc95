"""Score a program that maps (seed, label) to images against a dataset: quality, variety, copies, usefulness."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from gan.configuration.config import EvaluationConfig
from gan.errors import ConfigError
from gan.evaluation.copying import Copying, look_for_copies
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.extraction import Extraction
from gan.evaluation.pictures import NEIGHBOURS, Pictures, called, neighbours, strips
from gan.evaluation.real import RealFeatures, RealImages
from gan.evaluation.scores import (
    LEAST_IMAGES,
    class_scores,
    distribution_scores,
    kid_metric,
    names,
    require_enough,
    size_warnings,
    variety_scores,
)
from gan.evaluation.unseen import against_holdout
from gan.evaluation.usefulness import usefulness_scores
from gan.generation.sampling import Program
from gan.metrics.copy_control import Control
from gan.metrics.evaluation import Evaluation, Metric, metric_key
from gan.metrics.kid import kid
from gan.metrics.paired import Influences
from gan.metrics.protocol import Protocol, ReferenceSplit
from gan.text.shown import reason_of

OnProgress = Callable[[int, str], None]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """An evaluation, and what a person would rather look at.

    Attributes:
        evaluation: scores and protocol.
        pictures: of it.
        influences: of each image on the score that decides; None where sets were compared that no gate will see.
    """

    evaluation: Evaluation
    pictures: Pictures
    influences: Influences | None = None


def paired_labels(labels: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Labels [count] for generated images with the reference's shares of classes."""
    return np.resize(labels, count)


def splits_of(config: EvaluationConfig, real: RealImages) -> tuple[ReferenceSplit, str, str | None]:
    """Return which split is compared with, which may have been copied, and which is held out, None where none is."""
    holdout = "test" if "test" in real.splits and len(real.splits["test"]) else None
    if "all" in real.splits:  # a set without splits is both: what is compared with, and what may have been copied
        return "all", "all", holdout
    return config.reference_split, "train", holdout


def wanted_features(config: EvaluationConfig, real: RealImages) -> list[tuple[str, int]]:
    """The splits whose features an evaluation needs, and of how many images at most."""
    split, training_split, holdout_split = splits_of(config, real)
    wanted: dict[str, int] = {split: config.most_reference(len(real.splits[split]))}
    # copies are looked for among at least those training images whose features are there anyway
    wanted[training_split] = max(config.copy_images, wanted.get(training_split, 0))
    if holdout_split:
        wanted.setdefault(holdout_split, config.num_images)
    return list(wanted.items())


class Evaluator:
    """Evaluates programs under one protocol; the real side is computed once and cached.

    Args:
        config: what protocol is asked for.
        real: the dataset.
        features: of the dataset, with the network that makes them.
        on_progress: called with (images done, what is being done).

    Raises:
        ConfigError: the dataset lacks the split that the configuration asks for.
        InputError: that split has fewer than 4 images.
    """

    def __init__(
        self,
        config: EvaluationConfig,
        *,
        real: RealImages,
        features: RealFeatures,
        on_progress: OnProgress = lambda done, what: None,
    ) -> None:
        self.config = config
        self.real = real
        self.features = features
        self.on_progress = on_progress
        self.split, self.training_split, self.holdout_split = splits_of(config, real)
        if self.split not in real.splits:
            raise ConfigError(
                f"evaluation.reference_split is {self.split} but the data has {', '.join(real.splits)} alone"
            )
        self.rows = features.rows(self.split, config.most_reference(len(real.splits[self.split])))
        require_enough(config.num_images, len(self.rows))
        self.done = 0

    @property
    def extraction(self) -> Extraction:
        """How features are made."""
        return self.features.extraction

    @property
    def images_to_pass(self) -> int:
        """Images that the network sees for one program: the generated, and the real ones that are not cached."""
        return self.config.num_images + sum(
            self.features.missing(*wanted) for wanted in wanted_features(self.config, self.real)
        )

    def evaluate(self, program: Program) -> Evaluated:
        """Score `config.num_images` images of a program."""
        count, network = self.config.num_images, self.extraction.extractor.network
        real = {split: self._real(split, most) for split, most in wanted_features(self.config, self.real)}
        reference = real[self.split].head(len(self.rows))
        generated = self._draw(program, paired_labels(reference.labels, count))
        metrics, influences = distribution_scores(
            generated.features, reference.features, network, neighbours=self.config.neighbours
        )
        training, holdout = real[self.training_split], real.get(self.holdout_split or "")
        held_out = holdout.features if holdout else None
        unseen = against_holdout(generated.features, training.features, held_out, network, split=self.split)
        self.on_progress(self.done, "copies")
        copying = look_for_copies(
            generated, training, holdout, name=partial(self._called, generated), device=str(network.device)
        )
        useful, complaints = self._usefulness(generated, training, holdout)
        pictures, unpictured = self._pictures(generated, reference, training, copying)
        counted = copying.metrics | useful
        evaluation = Evaluation(
            protocol=self._protocol(len(training), len(holdout) if holdout else 0),
            metrics=metrics | unseen.metrics | {metric_key(name, count): metric for name, metric in counted.items()},
            per_class=class_scores(generated, reference, self.real.class_names),
            variety=variety_scores(generated, reference, self.real.class_names),
            baseline=self._baseline(reference, holdout) | _of_control(copying, len(training), holdout),
            warnings=[
                *size_warnings(count, len(reference), network),
                *unseen.warnings,
                *copying.warnings,
                *complaints,
                *unpictured,
            ],
        )
        return Evaluated(evaluation, pictures, unseen.influences or influences)

    def _usefulness(
        self, generated: EvaluationSet, training: EvaluationSet, holdout: EvaluationSet | None
    ) -> tuple[dict[str, Metric], list[str]]:
        if not self.config.usefulness_seeds:
            return {}, []
        return usefulness_scores(
            generated,
            training,
            holdout,
            self.real.class_names,
            seeds=self.config.usefulness_seeds,
            device=str(self.extraction.extractor.network.device),
            on_progress=lambda note: self.on_progress(self.done, note),
        )

    def _real(self, split: str, count: int) -> EvaluationSet:
        return self.features.set_of(split, count, self._counting("real images"))

    def _draw(self, program: Program, labels: npt.NDArray[np.int64]) -> EvaluationSet:
        count = len(labels)
        seeds = np.arange(self.config.seed, self.config.seed + count, dtype=np.int64)
        features, images = self.extraction.of_program(program, seeds, labels, self._counting("generated images"))
        return EvaluationSet(images, np.arange(count), labels, features)

    def _counting(self, what: str) -> Callable[[int], None]:
        before = self.done

        def count(done: int) -> None:
            self.done = before + done
            self.on_progress(self.done, what)

        return count

    def _baseline(self, reference: EvaluationSet, holdout: EvaluationSet | None) -> dict[str, Metric]:
        if holdout is None or self.holdout_split == self.split or len(holdout) < LEAST_IMAGES:
            return {}
        key = metric_key(names(self.extraction.extractor.network)[1], len(holdout))
        return {key: kid_metric(kid(holdout.features.features, reference.features.features))}

    def _called(self, generated: EvaluationSet, index: int) -> str:
        return called(index, generated.labels, self.real.class_names, self.config.seed)

    def _pictures(
        self, generated: EvaluationSet, reference: EvaluationSet, training: EvaluationSet, copying: Copying
    ) -> tuple[Pictures, list[str]]:
        """Return the pictures, or none and a sentence: scores hold without them, and a gate may wait for these."""
        shown = [self._called(generated, index) for index in range(min(NEIGHBOURS, len(generated)))]
        try:
            beside = list(strips(reference, generated, self.real.class_names))
            near = list(neighbours(generated, training, shown))
        except Exception as error:  # images of two sizes, say
            return Pictures(), [f"pictures are left out ({reason_of(error)})"]
        return Pictures(beside, near, copying.feature_pairs, copying.pixel_pairs), []

    def _protocol(self, training: int, holdout: int) -> Protocol:
        extractor = self.extraction.extractor
        return Protocol.model_validate(
            {
                "num_generated": self.config.num_images,
                "num_reference": len(self.rows),
                "reference_split": self.split,
                "resize": extractor.resize,
                "network": extractor.network.name,
                "network_sha256": extractor.network.sha256,
                "precision": extractor.network.precision,
                "dataset_md5": self.real.version,
                "seed": self.config.seed,
                "neighbours": self.config.neighbours,
                "num_training": training,
                "num_holdout": holdout,
            }
        )


def _of_control(copying: Copying, training: int, holdout: EvaluationSet | None) -> dict[str, Metric]:
    count = len(holdout) if holdout and copying.control is Control.HELD_OUT else training
    return {metric_key(name, count): metric for name, metric in copying.of_control.items()}
