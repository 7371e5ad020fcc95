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
from gan.generation.sampling import Program
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.pixel_copies import find_pixel_copies
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
from gan.release.rows import Rows, row_seeds
from gan.release.selection import NEIGHBOURS, CoverageLost, coverage_lost
from gan.release.usefulness import cas_of, registered_cas, rows_for_cas, unmeasured
from gan.usefulness.arms import Labelled
from tasks.generate.filling import Filling
from tasks.generate.manifest import EXACT_COPIES, NEAR_COPIES, selection_facts
from tasks.generate.packed import Counting
from tasks.generate.repeats import Packed
from tasks.generate.selecting import Selecting, compared_pixels, copies_among
from tasks.tracking.versions import RegisteredModel

REAL, GENERATED = "checking, real images", "checking"
SCORING, CLASSIFIERS, RECOGNISING = "scoring", "classifiers", "telling classes apart"
_MOST_PAIRS = 12
_MOST_COPIES = 2_000  # images among which copies are counted where they stay
CAS_SEEDS = 3  # trainings where the configuration does not say how many its model's evaluation had
_MOST_COMPARED = 5_000  # rows by which it is told what rejecting cost
_MOST_REAL = 20_000  # real images from which a classifier learns what the classes look like


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was found of a release.

    Attributes:
        look: all that was looked at.
        privacy: for the manifest.
        notes: what was not looked at, and why.
        pairs: generated images with the training images that they may be copies of.
        lost: what rejecting images cost in variety; None where none was rejected, or nobody looked.
    """

    look: ReleaseLook
    privacy: dict[str, Any]
    notes: tuple[str, ...] = ()
    pairs: Sequence[Pair] = ()
    lost: CoverageLost | None = None

    def cost(self) -> dict[str, Any]:
        """Return what a manifest says of what choosing cost; nothing where that was not measured."""
        return {"coverage_lost": self.lost.stated()} if self.lost else {}

    def stated(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        checks = [check.model_dump(mode="json", exclude_none=True) for check in self.look.checks]
        return {"checks": checks, "unchecked": list(self.notes), "privacy": self.privacy}


@dataclass
class Judge:
    """Judges a release that is drawn, before it is published.

    Attributes:
        model: that drew it.
        program: the same, loaded, as it drew.
        config: of the model, with the release's own section.
        evaluation: of the model, when it was registered.
        selecting: how the images were chosen.
        real: what the model was trained on; None where it is not to be had.
        open_features: opens the real images' features under the registered protocol; called where they are needed.
        counting: called with what passes through the network next, and how many; returns what counts them.
        notes: what was not looked at, and why.
    """

    model: RegisteredModel
    program: Program
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
        if self.selecting.copies is not None and not self.selecting.refused:
            privacy[NEAR_COPIES] = 0  # each that was found was drawn again
        closely = self._closely(filling, privacy)
        pairs = closely.pairs
        if self.selecting.refused and not pairs:  # the network that shows some was not asked, or not to be had
            pairs = self._copies(filling)
        look = ReleaseLook(checks=(*checks, *closely.checks))
        return Judgement(look, privacy, tuple(self.notes), pairs, closely.lost)

    def keep(self, filling: Filling) -> None:
        """Keep what later releases are compared with."""
        if self.selecting.find is not None:
            with filling.partial.fingerprints(filling.recipe.shards) as packed:
                self.selecting.keep(cast(Packed, packed))

    def _repeats(self, filling: Filling) -> list[Check]:
        if self.selecting.find is None:
            return []
        with filling.partial.fingerprints(filling.recipe.shards) as packed:
            return duplicate_checks(self.selecting.find(cast(Packed, packed)), len(packed))

    def _copied(self, filling: Filling) -> list[Check]:
        if (look := self.selecting.copies) is None:
            return []
        if self.selecting.refused:
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

    def _closely(self, filling: Filling, privacy: dict[str, Any]) -> "_Closely":
        """Pass some images through the network, if it and the real images are to be had."""
        if self.config.release.check_images == 0 or self.real is None:
            return _Closely()
        try:
            features = self.open_features(self.real)
            return self._against_real(filling, features, privacy)
        except (InputError, ResourcesError) as error:
            self.notes.append(f"the images were not held against real ones: {error}")
            return _Closely()

    def _against_real(self, filling: Filling, features: RealFeatures, privacy: dict[str, Any]) -> "_Closely":
        names, protocol, config = self.model.class_names, self.evaluation.protocol, self.config.evaluation
        held_out = "test" in features.real.splits
        training = self._real(features, "train", max(config.copy_images, protocol.num_reference))
        holdout = self._real(features, "test", config.num_images) if held_out else None
        reference = self._real(features, protocol.reference_split, protocol.num_reference)
        rows = self._rows(filling, reference)
        generated = self._passed(filling, features.extraction, rows)
        network, scored = features.extraction.extractor.network, self.counting(SCORING, len(rows))
        scored(0)
        ours = release_evaluation(
            generated, reference, self.evaluation, network, names, training=training, holdout=holdout
        )
        audited = audit_privacy(
            generated, training, holdout, name=self._called(generated.labels), device=str(network.device)
        )
        scored(len(rows))
        privacy["audit"] = audited.audit.model_dump(mode="json")
        self.notes.extend(audited.audit.warnings)
        cas, unmeasured_cas = self._usefulness(filling, features, reference, str(network.device))
        ours = ours.model_copy(update={"metrics": ours.metrics | cas})
        figures = figure_checks(ours, self.evaluation, self.config.gate)
        checks = [*figures, *unmeasured_cas, *privacy_checks(audited.audit)]
        if len(names) > 1 and held_out:
            checks.append(self._recognised(generated, features.real))
        pairs = (*audited.pixel_pairs, *audited.feature_pairs)[:_MOST_PAIRS]
        return _Closely(checks, pairs, self._lost(filling, features.extraction, rows, generated, reference))

    def _real(self, features: RealFeatures, split: str, count: int) -> EvaluationSet:
        return features.set_of(split, count, self.counting(REAL, features.missing(split, count)))

    def _rows(self, filling: Filling, reference: EvaluationSet) -> Rows:
        """Which rows are looked at closely."""
        most = self.config.release.check_images
        like = reference.labels if self.model.class_names else np.full(len(reference.labels), -1)
        rows = rows_like(filling.labels, like, most)
        if len(rows) < min(most, len(filling.labels)):  # it lacks classes: whatever it has is looked at
            rows = np.linspace(0, len(filling.labels) - 1, min(most, len(filling.labels))).round().astype(np.int64)
        return rows

    def _passed(self, filling: Filling, extraction: Extraction, rows: Rows) -> EvaluationSet:
        images = filling.images(rows)
        count = self.counting(GENERATED, len(rows))
        passed = extraction.of_images(images, np.arange(len(rows)), count)
        return EvaluationSet(images, np.arange(len(rows)), filling.labels[rows], passed)

    def _usefulness(
        self, filling: Filling, features: RealFeatures, reference: EvaluationSet, device: str
    ) -> tuple[dict[str, Metric], list[Check]]:
        """Measure the CAS where the model has one, with as many images, or say why not."""
        key, names, splits = registered_cas(self.evaluation), self.model.class_names, features.real.splits
        if key is None or "test" not in splits or not names:
            return {}, [unmeasured("the evaluation of its model has no CAS (evaluation.usefulness_seeds measures it)")]
        rows = rows_for_cas(filling.labels, reference.labels, self.evaluation, reference.image(0).nbytes)
        if rows is None:
            count = self.evaluation.protocol.num_generated
            return {}, [unmeasured(f"it lacks the {count:,} images, in the real images' shares, of its model's {key}")]
        protocol, seeds = self.evaluation.protocol, self.config.evaluation.usefulness_seeds or CAS_SEEDS
        training, held = (
            labelled(splits[split], features.rows(split, count))
            for split, count in (("train", protocol.num_training), ("test", protocol.num_holdout))
        )
        shown = self.counting(CLASSIFIERS, 100)
        cas = cas_of(
            Labelled(filling.images(rows), filling.labels[rows]),
            training.labels,
            held,
            names,
            seeds=seeds,
            device=device,
            on_progress=lambda done, total: shown(100 * done // total),
        )
        return {key: cas}, []

    def _lost(
        self,
        filling: Filling,
        extraction: Extraction,
        rows: Rows,
        generated: EvaluationSet,
        reference: EvaluationSet,
    ) -> CoverageLost | None:
        """Draw what was drawn first of some rows and rejected once more, and compare it with what is there of them."""
        rows = rows[:_MOST_COMPARED]
        rejected = any(any(record.rejected.values()) for record in filling.records)
        if not rejected or min(len(rows), len(reference)) <= NEIGHBOURS:
            return None
        kept, recipe = generated.features.features[: len(rows)], filling.recipe
        drawn, attempts = kept.copy(), np.concatenate([record.attempts for record in filling.records])[rows]
        if len(again := np.flatnonzero(attempts)):
            seeds = row_seeds(recipe.first_seed, recipe.num_images, rows[again], np.zeros_like(again))
            count = self.counting("checking what was rejected", len(again))
            passed, _ = extraction.of_program(self.program, seeds, filling.labels[rows[again]], count)
            drawn[again] = passed.features
        device = str(extraction.extractor.network.device)
        return coverage_lost(drawn, kept, reference.features.features, device=device)

    def _recognised(self, generated: EvaluationSet, real: RealImages) -> Check:
        of_release = Labelled(generated.images, generated.labels)
        training, holdout = (labelled(real.splits[split], slice(_MOST_REAL)) for split in ("train", "test"))
        names, count = self.model.class_names, len(generated)
        shown = self.counting(RECOGNISING, count)
        found = recognise(
            of_release, training, holdout, len(names), on_progress=lambda done, total: shown(count * done // total)
        )
        return label_check(mistaken_classes(found), names)

    def _called(self, labels: Rows) -> Callable[[int], str]:
        names = self.model.class_names
        return lambda index: names[int(labels[index])] if names else f"image {index}"


@dataclass(frozen=True, eq=False)
class _Closely:
    """What the images that pass through the network say."""

    checks: Sequence[Check] = ()
    pairs: Sequence[Pair] = ()
    lost: CoverageLost | None = None


def labelled(split: Resident, rows: Rows | slice) -> Labelled:
    """Return some images of a split with their classes."""
    return Labelled(np.asarray(split.images[rows]), np.asarray(split.labels[rows], dtype=np.int64))
