"""A chain in words: a tree from datasets to images, what is not recorded called unknown."""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.lineage.records import Dataset, Evaluated, Image, Lineage, ModelVersion, Release, Training

UNKNOWN = "unknown"
IMAGE = "image"
_INDENT = 2


class Link(NamedTuple):
    """A thing in the tree; names of sources, classes and releases stand in it as they are.

    Attributes:
        depth: 0 for a dataset.
        kind: what it is called.
        name: of the very thing.
        said: what is known of it, a sentence a piece.
        command: that makes it again, or shows an image; None: there is none, or too little is recorded.
        asked: whether it is what a person asked for.
    """

    depth: int
    kind: str
    name: str
    said: tuple[str, ...]
    command: str | None
    asked: bool

    @property
    def use(self) -> str:
        """What the command is for."""
        return "to see it" if self.kind == IMAGE else "again"


def lineage_lines(lineage: Lineage) -> list[str]:
    """The tree for a terminal: an arrow before what was asked for."""
    lines = []
    for link in links(lineage):
        start = " " * (_INDENT * link.depth)
        lines.append(f"{'→' if link.asked else ' '} {start}{link.kind} {link.name}: {link.said[0]}")
        lines += [f"  {start}    {each}" for each in link.said[1:]]
        lines += [f"  {start}    {link.use}: {link.command}"] if link.command else []
    return lines


def links(lineage: Lineage) -> Iterator[Link]:
    """Every thing of a chain, each behind what it was made from."""
    for dataset in lineage.datasets:
        yield _dataset(dataset, lineage)
        for training in lineage.trainings:
            if training.dataset_md5 == dataset.md5:
                yield from _of_training(training, lineage)
        for release in lineage.releases:
            if release.dataset_md5 == dataset.md5 and not _has_version(release, lineage):
                yield from _of_release(release, lineage, depth=1)


def _of_training(training: Training, lineage: Lineage) -> Iterator[Link]:
    yield _training(training, lineage)
    for evaluation in lineage.evaluations:
        if evaluation.training_run == training.run_id:
            yield _evaluation(evaluation)
    for version in lineage.versions:
        if version.run_id == training.run_id:
            yield _version(version, lineage)
            for release in lineage.releases:
                if _is_of(release, version):
                    yield from _of_release(release, lineage, depth=3)


def _of_release(release: Release, lineage: Lineage, *, depth: int) -> Iterator[Link]:
    yield _release(release, lineage, depth)
    for image in lineage.images:
        if image.release == release.name:
            yield _image(image, depth + 1)


def _is_of(release: Release, version: ModelVersion) -> bool:
    return (release.model_version, release.training_run) == (version.version, version.run_id)


def _has_version(release: Release, lineage: Lineage) -> bool:
    return any(_is_of(release, version) for version in lineage.versions)


def _dataset(dataset: Dataset, lineage: Lineage) -> Link:
    current = ", the current one" if dataset.current else ""
    images = (
        f"{dataset.num_train} train + {dataset.num_test} test images"
        if dataset.num_train is not None and dataset.num_test is not None
        else "number of images unknown"
    )
    said: tuple[str, ...] = (
        f"source {dataset.source or UNKNOWN}, {images}{current}",
        f"licence {dataset.licence or UNKNOWN}; first made {dataset.first_made or UNKNOWN}, "
        f"ingest run {dataset.ingest_run or UNKNOWN}",
    )
    if dataset.source_url:
        said += (f"published at {dataset.source_url}",)
    if dataset.credit:
        said += (f"credit: {dataset.credit}",)
    return Link(0, "dataset", dataset.md5 or UNKNOWN, said, dataset.again, lineage.name == dataset.md5)


def _training(training: Training, lineage: Lineage) -> Link:
    said: tuple[str, ...]
    if training.status is None:
        said = ("it is in MLflow no longer, so nothing more is known of it",)
    else:
        said = (
            f"{training.status.lower()}; preset {training.preset or UNKNOWN}, seed {training.seed or UNKNOWN}, "
            f"{training.total_kimg or UNKNOWN} kimg, workers {training.workers or UNKNOWN}",
            f"code {training.code or UNKNOWN}, git revision {training.git_revision or UNKNOWN}",
        )
        if training.began_with is not None:
            said += (f"began with the networks of version {training.began_with}",)
        if training.reproduces is not None:
            said += (f"made to reproduce version {training.reproduces}, and no candidate",)
    return Link(1, "training run", training.run_id, said, None, lineage.name == training.run_id)


def _evaluation(evaluation: Evaluated) -> Link:
    scores = ", ".join(f"{key} {value:.5g}" for key, value in evaluation.scores.items()) or f"scores {UNKNOWN}"
    decided = "; a version was registered with it" if evaluation.decided else ""
    said = (f"{evaluation.status.lower()}; against dataset {evaluation.dataset_md5 or UNKNOWN}: {scores}{decided}",)
    return Link(2, "evaluation run", evaluation.run_id, said, None, asked=False)


def _version(version: ModelVersion, lineage: Lineage) -> Link:
    aliases = ", ".join(version.aliases) or "without an alias"
    said = (f"{aliases}; verdict {version.verdict or UNKNOWN}",)
    if not version.registered:
        said = ("it is not in the registry, or another one is called so by now",)
    asked = lineage.kind == "version" and lineage.name == str(version.version)
    return Link(2, f"{version.model} version", str(version.version), said, version.again, asked)


def _release(release: Release, lineage: Lineage, depth: int) -> Link:
    images = UNKNOWN if release.num_images is None else str(release.num_images)
    seed = UNKNOWN if release.first_seed is None else str(release.first_seed)
    state = f"; state {release.state}" if release.state else ""
    version = UNKNOWN if release.model_version is None else str(release.model_version)
    drawn = "" if _has_version(release, lineage) else f", of version {version}"
    truncated = "" if release.truncation is None else f", truncation {release.truncation:g}"
    said = (
        f"{images} images{drawn}, seeds from {seed}{truncated}{state}",
        f"md5 {release.md5 or UNKNOWN}, {'here' if release.here else 'not here'}, run {release.run_id or UNKNOWN}",
    )
    asked = lineage.kind == "release" and lineage.name == release.name
    return Link(depth, "release", release.name, said, release.again, asked)


def _image(image: Image, depth: int) -> Link:
    label = "without a label" if image.label < 0 else f"label {image.label}"
    named = "" if image.class_name is None else f" = {image.class_name}"
    said = (
        f"seed {image.seed}, {label}{named}; row {image.row_of_file} of {image.file}",
        f"sha256 of its pixels {image.sha256}",
    )
    return Link(depth, IMAGE, f"{image.release}#{image.row}", said, image.look, asked=True)
