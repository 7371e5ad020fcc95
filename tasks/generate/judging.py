"""Whether a release is fit to be handed on: its images against its model's figures, copies, duplicates, labels."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from gan.configuration.config import Config
from gan.data.store.resident import Resident
from gan.errors import InputError, ResourcesError
from gan.evaluation.evaluation_set import EvaluationSet
from gan.evaluation.extraction import Extraction
from gan.evaluation.pictures import Pair
from gan.evaluation.real import RealFeatures, RealImages
from gan.metrics.copies import find_pixel_copies
from gan.metrics.evaluation import Evaluation
from gan.privacy.audit import audit_privacy
from gan.release.checks import (
    Check,
    ReleaseLook,
    balance_check,
    copy_check,
    duplicate_checks,
    figure_checks,
    label_check,
    privacy_checks,
)
from gan.release.figures import release_evaluation, rows_like
from gan.release.labels import mistaken_classes, recognise
from gan.release.rows import Rows
from gan.usefulness.arms import Labelled
from tasks.generate.filling import Filling
from tasks.generate.manifest import EXACT_COPIES, NEAR_COPIES, selection_facts
from tasks.generate.selecting import Packed, Selecting, compared_pixels, copies_among
from tasks.tracking.versions import RegisteredModel

Counting = Callable[[str, int], Callable[[int], None]]
_MOST_PAIRS = 12
_MOST_COPIES = 2_000  # images among which copies are counted where they stay
_MOST_REAL = 20_000  # real images from which a classifier learns what the classes look like


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was found of a release.

    Attributes:
        look: all that was looked at.
        privacy: for the manifest.
        notes: what was not looked at, and why.
        pairs: generated images with the training images that they may be copies of.
    """

    look: ReleaseLook
    privacy: dict[str, Any]
    notes: tuple[str, ...] = ()
    pairs: Sequence[Pair] = ()

    def stated(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        checks = [check.model_dump(mode="json", exclude_none=True) for check in self.look.checks]
        return {"checks": checks, "unchecked": list(self.notes), "privacy": self.privacy}


@dataclass
class Judge:
    """Judges a release that is drawn, before it is published.

    Attributes:
        model: that drew it.
        config: of the model, with the release's own section.
        evaluation: of the model, when it was registered.
        selecting: how the images were chosen.
        real: what the model was trained on; None where it is not to be had.
        open_features: opens the real images' features under the registered protocol; called where they are needed.
        counting: called with what passes through the network next, and how many; returns what counts them.
        notes: what was not looked at, and why.
    """

    model: RegisteredModel
    config: Config
    evaluation: Evaluation
    selecting: Selecting
    real: RealImages | None
    open_features: Callable[[RealImages], RealFeatures]
    counting: Counting = lambda what, total: lambda done: None
    notes: list[str] = field(default_factory=list)

    def __call__(self, filling: Filling, quotas: Sequence[int]) -> Judgement:
        """Look at all rows, and at some of them closely."""
        names, labels = self.model.class_names, filling.labels
        asked = dict(enumerate(quotas)) if names else {-1: quotas[0]}
        checks = [
            balance_check(Counter(labels.tolist()), asked, names),
            *self._repeats(filling),
            *self._copied(filling),
        ]
        privacy: dict[str, Any] = {EXACT_COPIES: filling.exact_copies}
        if self.selecting.copies is not None and not self.selecting.copies_stay:
            privacy[NEAR_COPIES] = 0  # each that was found was drawn again
        closely, pairs = self._closely(filling, privacy)
        if self.selecting.copies_stay and not pairs:  # the network that shows some was not asked, or not to be had
            pairs = self._copies(filling)
        return Judgement(ReleaseLook(checks=(*checks, *closely)), privacy, tuple(self.notes), pairs)

    def keep(self, filling: Filling) -> None:
        """Keep what later releases are compared with."""
        if self.selecting.find is not None:
            self.selecting.keep(_packed(filling))

    def _repeats(self, filling: Filling) -> list[Check]:
        if self.selecting.find is None:
            return []
        packed = _packed(filling)
        return duplicate_checks(self.selecting.find(packed), len(packed))

    def _copied(self, filling: Filling) -> list[Check]:
        if (look := self.selecting.copies) is None:
            return []
        if self.selecting.copies_stay:
            rows = np.arange(min(len(filling.labels), _MOST_COPIES))
            return [copies_among(look, filling.images(rows), filling.labels[rows])]
        drawn = selection_facts(filling.records, self.model.class_names, {})
        rejected = {reason: sum(by_class.values()) for reason, by_class in drawn["rejected"].items()}
        return [copy_check(rejected, drawn["asked"], look.thresholds)]

    def _copies(self, filling: Filling) -> Sequence[Pair]:
        assert self.real is not None
        rows = np.arange(min(len(filling.labels), _MOST_COPIES))
        images, training = filling.images(rows), compared_pixels(self.real.splits["train"])
        name = self._called(filling.labels[rows])
        return [
            Pair(name(each.generated), images[each.generated], training[each.training], each.score)
            for each in find_pixel_copies(images, training, None, pairs=_MOST_PAIRS).pairs
        ]

    def _closely(self, filling: Filling, privacy: dict[str, Any]) -> tuple[list[Check], Sequence[Pair]]:
        """Pass some images through the network, if it and the real images are to be had."""
        if self.config.release.check_images == 0 or self.real is None:
            return [], ()
        try:
            features = self.open_features(self.real)
            return self._against_real(filling, features, privacy)
        except (InputError, ResourcesError) as error:
            self.notes.append(f"the images were not held against real ones: {error}")
            return [], ()

    def _against_real(
        self, filling: Filling, features: RealFeatures, privacy: dict[str, Any]
    ) -> tuple[list[Check], Sequence[Pair]]:
        names, protocol, config = self.model.class_names, self.evaluation.protocol, self.config.evaluation
        held_out = "test" in features.real.splits
        training = self._real(features, "train", max(config.copy_images, protocol.num_reference))
        holdout = self._real(features, "test", config.num_images) if held_out else None
        reference = self._real(features, protocol.reference_split, protocol.num_reference)
        generated = self._passed(filling, features.extraction, reference)
        network = features.extraction.extractor.network
        ours = release_evaluation(
            generated, reference, self.evaluation, network, names, training=training, holdout=holdout
        )
        audited = audit_privacy(
            generated, training, holdout, name=self._called(generated.labels), device=str(network.device)
        )
        privacy["audit"] = audited.audit.model_dump(mode="json")
        checks = [*figure_checks(ours, self.evaluation, self.config.gate), *privacy_checks(audited.audit)]
        if len(names) > 1 and held_out:
            checks.append(self._recognised(generated, features.real))
        return checks, (*audited.pixel_pairs, *audited.feature_pairs)[:_MOST_PAIRS]

    def _real(self, features: RealFeatures, split: str, count: int) -> EvaluationSet:
        return features.set_of(split, count, self.counting("checking, real images", features.missing(split, count)))

    def _passed(self, filling: Filling, extraction: Extraction, reference: EvaluationSet) -> EvaluationSet:
        most = self.config.release.check_images
        like = reference.labels if self.model.class_names else np.full(len(reference.labels), -1)
        rows = rows_like(filling.labels, like, most)
        if len(rows) < min(most, len(filling.labels)):  # it lacks classes: whatever it has is looked at
            rows = np.linspace(0, len(filling.labels) - 1, min(most, len(filling.labels))).round().astype(np.int64)
        images = filling.images(rows)
        count = self.counting("checking", len(rows))
        passed = extraction.of_images(images, np.arange(len(rows)), count)
        return EvaluationSet(images, np.arange(len(rows)), filling.labels[rows], passed)

    def _recognised(self, generated: EvaluationSet, real: RealImages) -> Check:
        of_release = Labelled(generated.images, generated.labels)
        training, holdout = (_labelled(real.splits[split]) for split in ("train", "test"))
        names = self.model.class_names
        return label_check(mistaken_classes(recognise(of_release, training, holdout, len(names))), names)

    def _called(self, labels: Rows) -> Callable[[int], str]:
        names = self.model.class_names
        return lambda index: names[int(labels[index])] if names else f"image {index}"


def _packed(filling: Filling) -> Packed:
    return np.concatenate([cast(Packed, record.fingerprints) for record in filling.records])


def _labelled(split: Resident) -> Labelled:
    rows = slice(_MOST_REAL)
    return Labelled(np.asarray(split.images[rows]), np.asarray(split.labels[rows], dtype=np.int64))
