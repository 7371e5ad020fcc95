"""How long what follows the drawing of a large release will take: the time left is that of the whole command."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import torch

from gan.configuration.config import ReleaseConfig
from gan.configuration.vocabulary import ReleaseFormat
from gan.data.store.resident import Resident
from gan.errors import InputError, ResourcesError
from gan.evaluation.real import RealFeatures
from gan.generation.sampling import Program, draw
from gan.release.formats.table import format_named
from gan.release.rows import Rows
from gan.release.shard import Images, Marks, pixel_digests
from gan.release.usefulness import registered_cas
from gan.usefulness.arms import ClassifierRecipe, require_labels
from gan.usefulness.classifier import train_classifier
from tasks.generate.drawing import Probe
from tasks.generate.filling import AGAIN
from tasks.generate.judging import CAS_SEEDS, CLASSIFIERS, GENERATED, REAL, RECOGNISING, SCORING, Judge, labelled
from tasks.generate.packed import PUBLISHING
from tasks.generate.repeats import SEARCHING, Repeats
from tasks.runtime.progress import Reporter

_MANY = 100_000  # images from which on it is worth some seconds to know
_SEARCHED = 2**14  # images in which a search is measured, or as many as are drawn in
_DRAWING_SECONDS = 2.0
_PASSED = 16  # images that pass through the network for a measurement: fewer take as long
_PRODUCT = (1024, 2048)  # features that are multiplied with each other for a measurement
_SCORED = 0.13  # of these products: what scores and audit of a release take for each image, real ones among them
_STEPS = 8  # of a classifier's training, for a measurement
_SELDOM = 0.5  # repeats: fewer are not expected
_PACKED = 2048  # images that are packed and unpacked for a measurement
_PUBLISHED = 70e6  # bytes of images a second that are hashed twice, put into DVC's cache and pushed to another folder


class Outlook:
    """Goes from one piece of work to the next, and knows how long those will take that are still to come.

    Args:
        reporter: shows how far each is.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self._pieces: list[tuple[str, float]] = []

    def expect(self, what: str, seconds: float) -> None:
        """Expect a piece of work behind those that are expected already."""
        self._pieces.append((what, seconds))

    def begin(self, what: str, total: int) -> Callable[[int], None]:
        """Go over to a piece of work of so many images; return what counts them.

        Pieces that were expected before it are not to come any more.
        """
        names = [name for name, _ in self._pieces]
        if what in names:
            del self._pieces[: names.index(what) + 1]
        self.reporter.begin(what, total, after=sum(seconds for _, seconds in self._pieces))
        return self.reporter


def look_ahead(
    outlook: Outlook, judge: Judge, program: Program, probe: Probe, marks: Marks, count: int, config: ReleaseConfig
) -> None:
    """Measure on a few images what follows the drawing of many.

    Args:
        outlook: expects it then.
        judge: of the release.
        program: draws it.
        probe: from whose first seed on images may be drawn for this, of its classes.
        marks: that each image bears.
        count: images of the release; of few nothing is measured.
        config: of the release.
    """
    if count < _MANY:
        return
    images = _some(program, probe.seeds, probe.labels)
    again, size = _again(images, count, config.format, marks)
    if isinstance(find := judge.selecting.find, Repeats) and find.threshold > 0.0:
        search = find.forecast(images, count)
        outlook.expect(SEARCHING, search.seconds)
        for share in _rounds(search.repeats, count, config):
            outlook.expect(AGAIN, share * again)
            outlook.expect(SEARCHING, search.seconds_again)
    if judge.real is not None and judge.config.release.check_images:
        with suppress(InputError, ResourcesError):  # which the judge will say when it is there
            _expect_checks(outlook, judge, judge.open_features(judge.real), images[:_PASSED])
    outlook.expect(PUBLISHING, size / _PUBLISHED)


def _rounds(repeats: float, count: int, config: ReleaseConfig) -> Iterator[float]:
    """Yield the share of the shards that holds a repeat, for each time that repeats are drawn again.

    Few images cannot show that there is none among many: one is expected at least.
    """
    shards, repeats = -(-count // config.shard_images), max(repeats, 1.0)
    for _ in range(config.max_attempts - 1):
        if repeats < _SELDOM:
            return
        yield 1.0 - math.exp(-repeats / shards)
        repeats = 2 * repeats**2 / count  # each of them meets all others anew


def _expect_checks(outlook: Outlook, judge: Judge, features: RealFeatures, images: Images) -> None:
    extract, rows, each = features.extraction.of_images, np.arange(len(images)), 0.0
    for _ in range(2):  # the first time the network prepares itself
        began = time.perf_counter()
        extract(images, rows, lambda done: None)
        each = (time.perf_counter() - began) / len(images)
    config, reference, checked = judge.config.evaluation, judge.evaluation.protocol.num_reference, judge.config.release
    counts = {"train": max(config.copy_images, reference), "test": config.num_images}
    counts = {
        split: min(count, len(there)) for split, count in counts.items() if (there := features.real.splits.get(split))
    }
    outlook.expect(REAL, each * sum(features.missing(split, count) for split, count in counts.items()))
    outlook.expect(GENERATED, each * checked.check_images)
    device = features.extraction.extractor.network.device
    outlook.expect(SCORING, _SCORED * (checked.check_images + sum(counts.values())) * _product(device))
    if len(names := judge.model.class_names) > 1 and "test" in counts:
        training = _training(features.real.splits["train"], len(names), str(device))
        if registered_cas(judge.evaluation):
            outlook.expect(CLASSIFIERS, training * (config.usefulness_seeds or CAS_SEEDS))
        outlook.expect(RECOGNISING, training)


def _product(device: torch.device) -> float:
    """Seconds of a product of features with features."""
    features = torch.ones(*_PRODUCT, device=device)
    for _ in range(2):  # the first time it prepares itself
        began = time.perf_counter()
        torch.mm(features, features.T).sum().item()  # waits for a GPU
    return time.perf_counter() - began


def _training(real: Resident, num_classes: int, device: str) -> float:
    """Seconds in which a classifier is trained; InputError where images have no class, so that none will be."""
    some, recipe = labelled(real, slice(_SEARCHED)), ClassifierRecipe(device=device)
    require_labels({"real": some}, num_classes)
    for _ in range(2):
        began = time.perf_counter()
        train_classifier(
            some.images, some.labels, num_classes, steps=_STEPS, batch_size=recipe.batch_size, device=device
        )
    return (time.perf_counter() - began) * recipe.steps / _STEPS


def _some(program: Program, seeds: Rows, labels: Rows) -> Images:
    """Draw as many as there is time for."""
    until, numbers = time.monotonic() + _DRAWING_SECONDS, np.arange(_SEARCHED)
    drawn: list[Images] = []
    for batch in draw(program, seeds[0] + numbers, labels[numbers % len(labels)]):
        drawn.append(batch)
        if time.monotonic() > until:
            break
    return np.concatenate(drawn)


def _again(images: Images, count: int, form: ReleaseFormat, marks: Marks) -> tuple[float, float]:
    """Seconds for which all shards are taken from the disk and packed once more, and their bytes."""
    few, shape = images[:_PACKED], images.shape[1:]
    began = time.perf_counter()
    payloads = format_named(form).payloads(few, marks)
    for payload in payloads:
        format_named(form).pixels(payload, (shape[0], shape[1], shape[2]))
    pixel_digests(few)
    return (time.perf_counter() - began) * count / len(few), sum(map(len, payloads)) * count / len(few)
