"""The chain of one thing, gathered from what is on record.

Backwards it goes to what the thing was made from, through warm starts too; forwards to all that stems from it.
"""

from collections.abc import Iterator

from tasks.lineage.commands import checkout_command, reproduce_command
from tasks.lineage.records import Dataset, Evaluated, Image, Kind, Lineage, ModelVersion, Release, Training
from tasks.lineage.sources import Sources, warm_start
from tasks.tracking.client import TRAINING
from tasks.tracking.past import PastRun, past_runs
from tasks.tracking.runs import REPRODUCES

SCORES = ("fid", "kid")


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
        # Not followed where they are found: a chain of warm starts may be longer than calls can be deep.
        self._behind: list[tuple[int, str, str]] = []
        self._ahead: list[PastRun] = []

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
            source_url=known.source_url,
            credit=known.credit,
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
        run = run or self.sources.run(run_id)
        if run is None or run.experiment != TRAINING:
            self.trainings[run_id] = Training(run_id=run_id, dataset_md5=dataset_md5)
            self.dataset(dataset_md5)
            return
        began = warm_start(run)
        self.trainings[run_id] = training = _training(run, began and began[0])
        self.dataset(training.dataset_md5)
        for each in self.sources.evaluations(run_id):
            self.evaluations[each.run_id] = _evaluated(each, run)
        if began:
            self._behind.append(began)

    def version(self, number: int, run_id: str, dataset_md5: str | None = None) -> None:
        """Add a version with its training run, as a record of it says that they belong together."""
        known = self.sources.versions.get(number)
        there = known is not None and known.run_id == run_id
        self.training(run_id, dataset_md5=(known.tags.get("dataset_md5") if there and known else None) or dataset_md5)
        if number in self.versions:
            return
        if known is None or not there:
            self.versions[number] = ModelVersion(
                version=number, run_id=run_id, model=self.sources.settings.model, registered=False
            )
            return
        run = self.sources.run(run_id)
        self.versions[number] = ModelVersion(
            version=number,
            run_id=run_id,
            model=self.sources.settings.model,
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
        self._ahead += self.sources.begun_with.get((number, run_id), [])
        for run in self.sources.reproductions.get(str(number), []):
            self.training(run.run_id, run)

    def lineage(self, asked: str, kind: Kind, name: str, images: tuple[Image, ...] = ()) -> Lineage:
        """All that is to be gathered, as a record."""
        while self._ahead or self._behind:
            if self._ahead:
                run = self._ahead.pop()
                self.follow_training(run.run_id, run)
            else:
                self.version(*self._behind.pop())
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
