"""What is on record of everything that a chain is made of: read once from MLflow, DVC's pointers and the manifests."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property

from tasks.dataset.catalogue import Version, versions
from tasks.lineage import on_disk
from tasks.lineage.commands import release_command
from tasks.lineage.records import Release
from tasks.releases.states import BEFORE_SETTING
from tasks.runtime.settings import Settings
from tasks.tracking.client import EVALUATIONS, RELEASES, TRAINING
from tasks.tracking.past import PastRun, past_run, past_runs, past_versions
from tasks.tracking.runs import REPRODUCES


class Sources:
    """What is on record, read once.

    Args:
        settings: where.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.datasets: dict[str, Version] = {each.md5: each for each in versions(settings)}
        self.versions = {each.version: each for each in past_versions(settings, settings.model)}
        self.releases = self._releases()
        self._runs: dict[str, PastRun | None] = {}

    def run(self, run_id: str) -> PastRun | None:
        """A run, asked for once."""
        if run_id not in self._runs:
            self._runs[run_id] = past_run(self.settings, run_id)
        return self._runs[run_id]

    def evaluations(self, run_id: str) -> Iterator[PastRun]:
        """Evaluations of what a training run made."""
        return past_runs(self.settings, EVALUATIONS, {"training run": run_id})

    @cached_property
    def begun_with(self) -> dict[tuple[int, str], list[PastRun]]:
        """Trainings by the version, and its run, that they began with."""
        found: dict[tuple[int, str], list[PastRun]] = {}
        for run in past_runs(self.settings, TRAINING, holds="warm_start"):
            if began := warm_start(run):
                found.setdefault(began[:2], []).append(run)
        return found

    @cached_property
    def reproductions(self) -> dict[str, list[PastRun]]:
        """Trainings by the version that they were to give again."""
        found: dict[str, list[PastRun]] = {}
        for run in past_runs(self.settings, TRAINING, holds=REPRODUCES):
            found.setdefault(run.tags[REPRODUCES], []).append(run)
        return found

    def _releases(self) -> list[Release]:
        """Releases of the model by name and md5: of MLflow, and those of this home that MLflow does not know."""
        found: dict[tuple[str, str | None], Release] = {}
        there = {name: on_disk.described(self.settings, name) for name in on_disk.folders(self.settings)}
        for run in past_runs(self.settings, RELEASES):
            if run.status != "FINISHED":  # what failed midway recorded nothing
                continue
            release = _release(run)
            local = there.get(release.name)
            if local and local.md5 == release.md5:
                same = {key: getattr(local, key) for key in ("here", "num_images", "first_seed", "truncation")}
                release = release.model_copy(update=same)
            found.setdefault((release.name, release.md5), release)
        for local in there.values():
            if local:
                found.setdefault((local.name, local.md5), local)
        own = (each for each in found.values() if (each.model or BEFORE_SETTING) == self.settings.model)
        return [_with_command(release) for release in own]


def warm_start(run: PastRun) -> tuple[int, str, str] | None:
    """Version, training run and dataset of the model that a run began with, as its tag says; None: it says none."""
    return warm_start_of(run.tags)


def warm_start_of(tags: Mapping[str, str]) -> tuple[int, str, str] | None:
    """The same, from the run's tags."""
    try:
        found = json.loads(tags["warm_start"])
        version, run_id, md5 = found["version"], found["run_id"], found["dataset_md5"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if type(version) is not int or not isinstance(run_id, str) or not isinstance(md5, str):
        return None
    return version, run_id, md5


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
        truncation=_share(run.tags.get("truncation", "")),
        **{key: _number(text) for key, text in numbers.items()},
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0.0 < share < 1.0 else None


def _with_command(release: Release) -> Release:
    if release.model_version is None or release.first_seed is None or release.num_images is None:
        return release
    drawn = release.name, release.first_seed, release.num_images, release.truncation
    command = release_command(release.model_version, *drawn)
    return release.model_copy(update={"again": command})
