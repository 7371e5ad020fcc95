"""What watches a training run: KID and variety of one checkpoint after another, all under the same conditions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan.evaluation.extraction import OnProgress
from gan.evaluation.real import RealFeatures
from gan.evaluation.scores import kid_metric, require_enough
from gan.generation.sampling import Program
from gan.metrics.evaluation import Metric
from gan.metrics.kid import kid
from gan.metrics.variety import Variety, class_variety

SPLIT = "train"
MOST_REFERENCE = 1000
"""Real images that are worth passing through the network for a score of few generated ones."""


@dataclass(frozen=True)
class Watched:
    """What is known of one checkpoint.

    Attributes:
        kid: with its interval; the lower, the better.
        variety: by label, of classes with enough images; a single one called -1 where the generator has no classes.
    """

    kid: Metric
    variety: dict[int, Variety]

    @property
    def metrics(self) -> dict[str, float]:
        """What is logged; `variety` is that of the narrowest class, where any has enough images."""
        ratios = [each.ratio for each in self.variety.values()]
        kid = {"kid": self.kid.value, "kid_low": self.kid.low, "kid_high": self.kid.high}
        found = kid | {"variety": min(ratios, default=None)}
        return {key: value for key, value in found.items() if value is not None}

    def collapses(self, class_names: Sequence[str], cur_nimg: int) -> dict[int, str]:
        """Return a sentence for each class that has lost its variety, by label.

        Args:
            class_names: by label.
            cur_nimg: images that the checkpoint has seen.
        """
        sentences = {}
        for label, found in self.variety.items():
            if found.collapsed:
                who, of_it = (f"class {class_names[label]}", " of it") if label >= 0 else ("the generator", "")
                sentences[label] = (
                    f"{who} seems to collapse: at {cur_nimg:,} images, {found.generated} generated images{of_it} vary "
                    f"{found.ratio:.2g} times as much as {found.real} real ones: train with more images{of_it}, with "
                    "augmentation (augment.operations), or with stronger penalties (such as loss.r1_gamma)"
                )
        return sentences


class Watch:
    """Scores programs on the same seeds, labels and training images, so that their scores can be compared.

    The seeds lie below zero, where no evaluation draws: the images by which a checkpoint is picked are not those by
    which it is judged. The training images are those that the evaluation begins with: their features serve both.

    Args:
        features: of the dataset, with the network that makes them; computed at the first score unless cached.
        count: generated images.
        reference: training images that the evaluation compares with. At most `MOST_REFERENCE` of them are taken, or
            as many as are generated.
        conditional: whether the generator draws the class that it is asked for; else its images are one class.

    Raises:
        InputError: there would be fewer than 4 images on a side.
    """

    def __init__(self, features: RealFeatures, count: int, *, reference: int, conditional: bool) -> None:
        rows = features.rows(SPLIT, max(count, min(reference, MOST_REFERENCE)))
        require_enough(count, len(rows))
        self.features = features
        self.seeds = np.arange(-count, 0, dtype=np.int64)
        self.conditional = conditional
        self.real_labels = np.asarray(features.real.splits[SPLIT].labels, dtype=np.int64)[rows]
        self.labels = np.resize(self.real_labels, count)

    @property
    def images_to_pass(self) -> int:
        """Images that the network sees for one score: the generated, and at the first the real ones."""
        return len(self.seeds) + self.features.missing(SPLIT, len(self.real_labels))

    def score(self, program: Program, on_progress: OnProgress = lambda done: None) -> Watched:
        """Return KID with its interval, and the variety of each class.

        Args:
            program: maps rows (seed, label) [n, 2] int64 to images [n, H, W, C] uint8.
            on_progress: called with how many of `images_to_pass` are done.
        """
        before = self.features.missing(SPLIT, len(self.real_labels))
        b = self.features.of(SPLIT, len(self.real_labels), on_progress).features
        generated, _ = self.features.extraction.of_program(
            program, self.seeds, self.labels, lambda done: on_progress(before + done)
        )
        a = generated.features
        classes_a, classes_b = self.labels[: len(a)], self.real_labels[: len(b)]
        if not self.conditional:
            classes_a, classes_b = np.full_like(classes_a, -1), np.full_like(classes_b, -1)
        return Watched(kid=kid_metric(kid(a, b)), variety=class_variety(a, classes_a, b, classes_b))
