"""The chain of one thing, gathered from MLflow, DVC's pointers and the releases' manifests.

Backwards it goes to what the thing was made from, through warm starts too; forwards to all that stems from it.
"""

import json
from collections.abc import Iterator

from tasks.dataset.catalogue import Version, versions
from tasks.lineage import on_disk
from tasks.lineage.commands import checkout_command, release_command, reproduce_command
from tasks.lineage.records import Dataset, Evaluated, Image, Kind, Lineage, ModelVersion, Release, Training
from tasks.runtime.settings import Settings
from tasks.tracking.client import EVALUATIONS, RELEASES, TRAINING
from tasks.tracking.past import PastRun, past_run, past_runs, past_versions
from tasks.tracking.registry import MODEL
from tasks.tracking.runs import REPRODUCES

SCORES = ("fid", "kid")


class Sources:
    """What is on record, read once.

    Args:
        settings: where.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.datasets: dict[str, Version] = {each.md5: each for each in versions(settings)}
        self.versions = {each.version: each for each in past_versions(settings, MODEL)}
        self.releases = self._releases()

    def _releases(self) -> list[Release]:
        """Releases by name and md5: of MLflow, and those of this home that MLflow does not know."""
        found: dict[tuple[str, str | None], Release] = {}
        there = {name: on_disk.described(self.settings, name) for name in on_disk.folders(self.settings)}
        for run in past_runs(self.settings, RELEASES):
            release = _release(run)
            local = there.get(release.name)
            if local and local.md5 == release.md5:
                same = {"here": True, "num_images": local.num_images, "first_seed": local.first_seed}
                release = release.model_copy(update=same)
            found.setdefault((release.name, release.md5), release)
        for local in there.values():
            if local:
                found.setdefault((local.name, local.md5), local)
        return [_with_command(release) for release in found.values()]


class Gathering:
    """A chain that grows: what is added brings along what it was made from.

    Args:
        sources: what is on record.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.datasets: dict[str | None, Dataset] = {}
        self.trainings: dict[str, Training] = {}
        self.evaluations: dict[str, Evaluated] = {}
        self.versions: dict[int, ModelVersion] = {}
        self.releases: dict[tuple[str, str | None], Release] = {}
        self._followed: set[str] = set()

    def dataset(self, md5: str | None) -> None:
        """Add a dataset."""
        if md5 in self.datasets:
            return
        known = self.sources.datasets.get(md5 or "")
        if md5 is None or known is None:
            self.datasets[md5] = Dataset(md5=md5, again=md5 and checkout_command(md5))
            return
        self.datasets[md5] = Dataset(
            md5=md5,
            current=known.current,
            source=known.source,
            licence=known.licence,
            num_train=known.num_train,
            num_test=known.num_test,
            first_made=known.first_made,
            ingest_run=known.run_id,
            again=checkout_command(md5),
        )

    def training(self, run_id: str, run: PastRun | None = None, dataset_md5: str | None = None) -> None:
        """Add a training run with its dataset and evaluations, and the version that it began with.

        Args:
            run_id: of it.
            run: its record, where that has been read.
            dataset_md5: of its dataset, for a run that is gone.
        """
        if run_id in self.trainings:
            return
        run = run or past_run(self.sources.settings, run_id)
        if run is None or run.experiment != TRAINING:
            self.trainings[run_id] = Training(run_id=run_id, dataset_md5=dataset_md5)
            self.dataset(dataset_md5)
            return
        began = warm_start(run)
        self.trainings[run_id] = training = _training(run, began and began[0])
        self.dataset(training.dataset_md5)
        for each in past_runs(self.sources.settings, EVALUATIONS, {"training run": run_id}):
            self.evaluations[each.run_id] = _evaluated(each, run)
        if began:
            self.version(*began)

    def version(self, number: int, run_id: str, dataset_md5: str | None = None) -> None:
        """Add a version with its training run, as a record of it says that they belong together."""
        known = self.sources.versions.get(number)
        there = known is not None and known.run_id == run_id
        self.training(run_id, dataset_md5=(known.tags.get("dataset_md5") if there and known else None) or dataset_md5)
        if number in self.versions:
            return
        if known is None or not there:
            self.versions[number] = ModelVersion(version=number, run_id=run_id, model=MODEL, registered=False)
            return
        run = past_run(self.sources.settings, run_id)
        self.versions[number] = ModelVersion(
            version=number,
            run_id=run_id,
            model=MODEL,
            aliases=known.aliases,
            verdict=known.tags.get("verdict") or (run.tags.get("verdict") if run else None),
            again=reproduce_command(number),
        )

    def release(self, release: Release) -> None:
        """Add a release with the version that it was drawn from."""
        self.releases[release.name, release.md5] = release
        if release.model_version is not None and release.training_run:
            self.version(release.model_version, release.training_run, release.dataset_md5)
        else:
            self.dataset(release.dataset_md5)

    def follow_dataset(self, md5: str) -> None:
        """Add all that stems from a dataset."""
        self.dataset(md5)
        for run in past_runs(self.sources.settings, TRAINING, {"dataset_md5": md5}):
            self.follow_training(run.run_id, run)
        for version in self.sources.versions.values():
            if version.tags.get("dataset_md5") == md5:
                self.follow_version(version.version, version.run_id)
        for release in self.sources.releases:
            if release.dataset_md5 == md5:
                self.release(release)

    def follow_training(self, run_id: str, run: PastRun | None = None) -> None:
        """Add a training run and all that stems from it."""
        self.training(run_id, run)
        if run_id in self._followed:
            return
        self._followed.add(run_id)
        for version in self.sources.versions.values():
            if version.run_id == run_id:
                self.follow_version(version.version, run_id)
        for release in self.sources.releases:
            if release.training_run == run_id:
                self.release(release)

    def follow_version(self, number: int, run_id: str) -> None:
        """Add a version and all that stems from it: releases, and trainings that began with it."""
        self.version(number, run_id)
        for release in self.sources.releases:
            if release.model_version == number and release.training_run in (run_id, None):
                self.release(release)
        for run in past_runs(self.sources.settings, TRAINING, holds="warm_start"):
            if run.run_id not in self._followed and (warm_start(run) or ())[:2] == (number, run_id):
                self.follow_training(run.run_id, run)
        for run in past_runs(self.sources.settings, TRAINING, {REPRODUCES: str(number)}):
            self.training(run.run_id, run)

    def lineage(self, asked: str, kind: Kind, name: str, images: tuple[Image, ...] = ()) -> Lineage:
        """What was gathered, as a record."""
        return Lineage(
            asked=asked,
            kind=kind,
            name=name,
            datasets=tuple(self.datasets.values()),
            trainings=tuple(self.trainings.values()),
            evaluations=tuple(self.evaluations.values()),
            versions=tuple(sorted(self.versions.values(), key=lambda each: each.version)),
            releases=tuple(self.releases.values()),
            images=images,
        )


def warm_start(run: PastRun) -> tuple[int, str, str] | None:
    """Version, training run and dataset of the model that a run began with, as its tag says; None: it says none."""
    try:
        found = json.loads(run.tags["warm_start"])
        version, run_id, md5 = found["version"], found["run_id"], found["dataset_md5"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if type(version) is not int or not isinstance(run_id, str) or not isinstance(md5, str):
        return None
    return version, run_id, md5


def _training(run: PastRun, began_with: int | None) -> Training:
    return Training(
        run_id=run.run_id,
        dataset_md5=run.tags.get("dataset_md5"),
        status=run.status,
        preset=run.tags.get("preset"),
        seed=run.params.get("train.seed"),
        total_kimg=run.params.get("train.total_kimg"),
        workers=run.tags.get("workers"),
        code=run.tags.get("code"),
        git_revision=run.tags.get("git_revision"),
        began_with=began_with,
        reproduces=run.tags.get(REPRODUCES),
    )


def _evaluated(run: PastRun, training: PastRun) -> Evaluated:
    return Evaluated(
        run_id=run.run_id,
        training_run=training.run_id,
        dataset_md5=run.tags.get("dataset_md5"),
        status=run.status,
        decided=training.tags.get("evaluation_run") == run.run_id,
        scores=dict(_scores(run)),
    )


def _scores(run: PastRun) -> Iterator[tuple[str, float]]:
    for key in sorted(run.metrics):
        if key.startswith(SCORES):
            yield key, run.metrics[key]


def _release(run: PastRun) -> Release:
    version = run.tags.get("model_version", "")
    numbers = {key: run.tags.get(key, "") for key in ("num_images", "first_seed")}
    return Release(
        name=run.tags.get("release", run.run_id),
        md5=run.tags.get("release_md5"),
        model=run.tags.get("model"),
        model_version=_number(version),
        training_run=run.tags.get("training_run"),
        dataset_md5=run.tags.get("dataset_md5"),
        state=run.tags.get("state"),
        run_id=run.run_id,
        **{key: _number(text) for key, text in numbers.items()},
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _with_command(release: Release) -> Release:
    if release.model_version is None or release.first_seed is None or release.num_images is None:
        return release
    command = release_command(release.model_version, release.name, release.first_seed, release.num_images)
    return release.model_copy(update={"again": command})
