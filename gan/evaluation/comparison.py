"""All metrics between two sets of images that lie somewhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gan.configuration.config import EvaluationConfig
from gan.data.image_sets.image_set import ImageSet
from gan.data.store.resident import Resident
from gan.errors import InputError
from gan.evaluation.copying import look_for_copies
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.evaluator import Evaluated
from gan.evaluation.extraction import Extraction
from gan.evaluation.pictures import Pictures, strips
from gan.evaluation.real import RealFeatures, RealImages
from gan.evaluation.scores import class_scores, distribution_scores, require_enough, size_warnings
from gan.evaluation.unseen import against_holdout
from gan.metrics.evaluation import Evaluation, metric_key
from gan.metrics.protocol import Protocol, ReferenceSplit

OnProgress = Callable[[int, str], None]
ALL: ReferenceSplit = "all"


def require_sizes(a: ImageSet, b: ImageSet, n: int | None) -> None:
    """Refuse sets that cannot be compared.

    Raises:
        InputError: a set has fewer images than `n`, or fewer than 4.
    """
    for images in (a, b):
        if n is not None and n > len(images):
            raise InputError(f"{images.name} has {len(images)} images but {n} were asked for: lower --n")
    require_enough(len(a), len(b))


class Comparison:
    """Scores the images of one set as if they were generated, and those of another as their reference.

    Args:
        a: what is judged.
        b: what it is compared with.
        holdout: images like those of `b` that `a` cannot have seen; without them those of `b` among themselves tell
            what is a copy, and there is no gap.
        config: network settings; its number of images and its split are not used.
        split: of `b`, for the protocol.
        n: images of each set, a keyed choice; None takes all of each.
        extraction: how features are made.
        cache_dir: where they are kept, under the digest of the images.
        on_progress: called with (images done, what is being done).
    """

    def __init__(
        self,
        a: ImageSet,
        b: ImageSet,
        *,
        config: EvaluationConfig,
        extraction: Extraction,
        cache_dir: Path,
        holdout: ImageSet | None = None,
        split: ReferenceSplit = ALL,
        n: int | None = None,
        on_progress: OnProgress = lambda done, what: None,
    ) -> None:
        self.a, self.b, self.holdout = a, b, holdout
        self.config = config
        self.split: ReferenceSplit = split
        self.n = n
        self.extraction = extraction
        self.cache_dir = cache_dir
        self.on_progress = on_progress
        self.done = 0

    @property
    def images_to_pass(self) -> int:
        """Images that the network will see: those of which the cache has no features."""
        return sum(self._features(images).missing(ALL, self._count(images)) for images in self._sets())

    def run(self) -> Evaluated:
        """Score."""
        a, b = self._evaluation_set(self.a), self._evaluation_set(self.b)
        holdout = self._evaluation_set(self.holdout) if self.holdout else None
        network = self.extraction.extractor.network
        count = len(a)
        metrics, _ = distribution_scores(a.features, b.features, network, neighbours=self.config.neighbours)
        held_out = holdout.features if holdout else None
        unseen = against_holdout(a.features, b.features, held_out, network, split=ALL)
        self.on_progress(self.done, "copies")
        copying = look_for_copies(
            a, b, holdout, name=lambda index: f"image {a.rows[index]}", device=str(network.device)
        )
        classes = self.b.class_names if self.a.class_names == self.b.class_names else ()
        warnings = size_warnings(count, len(b), network)
        if self.a.digest == self.b.digest:
            warnings.append("the two sets hold the same images")
        evaluation = Evaluation(
            protocol=self._protocol(count, len(b), len(holdout) if holdout else 0),
            metrics=metrics
            | unseen.metrics
            | {metric_key(name, count): metric for name, metric in copying.metrics.items()},
            per_class=class_scores(a, b, classes),
            warnings=[*warnings, *unseen.warnings, *copying.warnings],
        )
        pictures = Pictures(
            strips=list(strips(b, a, classes)),
            feature_copies=copying.feature_pairs,
            pixel_copies=copying.pixel_pairs,
        )
        return Evaluated(evaluation, pictures)

    def _sets(self) -> list[ImageSet]:
        return [images for images in (self.a, self.b, self.holdout) if images]

    def _count(self, images: ImageSet) -> int:
        return min(self.n or len(images), len(images))

    def _features(self, images: ImageSet) -> RealFeatures:
        splits: dict[str, Resident] = {ALL: Resident(images.images, images.labels)}
        real = RealImages(images.digest, splits, images.class_names, images.sequence)
        return RealFeatures(real, self.extraction, self.cache_dir, self.config.seed)

    def _evaluation_set(self, images: ImageSet) -> EvaluationSet:
        before, source, count = self.done, self._features(images), self._count(images)

        def show(done: int) -> None:
            self.done = before + done
            self.on_progress(self.done, images.name)

        features = source.of(ALL, count, show)
        rows = source.rows(ALL, count)
        return EvaluationSet(images.images, rows, np.asarray(images.labels)[rows], features)

    def _protocol(self, generated: int, reference: int, holdout: int) -> Protocol:
        extractor = self.extraction.extractor
        return Protocol(
            num_generated=generated,
            num_reference=reference,
            reference_split=self.split,
            resize=extractor.resize,
            network=extractor.network.name,
            network_sha256=extractor.network.sha256,
            precision=extractor.network.precision,
            dataset_md5=self.b.digest,
            seed=self.config.seed,
            neighbours=self.config.neighbours,
            num_training=reference,
            num_holdout=holdout,
        )
