"""Removing runs from MLflow with their artifacts and logged models; and all that says who needs which run.

MLflow's `delete_run` only marks. `mlflow gc --run-ids` frees, but beside the runs that it is given every deleted
experiment and logged model of the server, whoever deleted those. So what it does for one run is done here, by the same
methods of its store. Over HTTP there are none: there a run can be marked alone.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.tracking.client import PROCESS, RELEASES, TRAINING, client
from tasks.tracking.versions import NOT_THERE

if TYPE_CHECKING:
    from mlflow.entities import Run

# A tag of a run that is on its way out: ids of the logged models that go with it.
PRUNED = "pruned"
_PAGE = 1000
_MODEL = "models:/"
_TERMINAL = {"FINISHED", "FAILED", "KILLED"}


class KnownRun(BaseModel):
    """A run of MLflow's; `started` and `ended` are in milliseconds since 1970, UTC.

    Attributes:
        ended: when it came to its end; when it began where that is not noted.
        ongoing: whether somebody may be writing it: it has no end yet, or its process lives on this machine.
        artifacts: address of its artifacts.
        models: ids and addresses of its logged models.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    name: str = ""
    status: str
    started: int
    ended: int
    ongoing: bool
    tags: dict[str, str]
    artifacts: str = ""
    models: dict[str, str] = {}


class KnownVersion(BaseModel):
    """A version of any registered model of the server.

    Attributes:
        run_id: of the run that it names; nothing where it names none.
        model_id: of the logged model that its source is; nothing where it is none.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    version: int
    run_id: str = ""
    model_id: str = ""
    aliases: tuple[str, ...] = ()


class Removal:
    """MLflow, opened once to look at runs and remove some.

    Args:
        settings: where it is.

    Raises:
        ServiceError: no MLflow server answers.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = client(settings)
        self.frees = urlsplit(settings.tracking_uri).scheme not in {"http", "https"}

    def runs(self, experiment: str, *, marked: bool = False) -> list[KnownRun]:
        """All runs of an experiment with their logged models, the newest first.

        Args:
            experiment: its name.
            marked: those that `mark` has been at, instead of those that are there.
        """
        from mlflow.entities import ViewType

        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            return []
        view, wanted = (ViewType.DELETED_ONLY, f"tags.{PRUNED} LIKE '%'") if marked else (ViewType.ACTIVE_ONLY, "")
        models = {} if marked else self._models(found.experiment_id)
        known = (_known(run, models) for run in self._search(found.experiment_id, wanted, view))
        return [self._with_marked_models(run) if PRUNED in run.tags and self.frees else run for run in known]

    def versions(self) -> list[KnownVersion]:
        """All versions of all registered models."""
        aliases: dict[tuple[str, int], list[str]] = {}
        for model in _pages(lambda token: self._client.search_registered_models(max_results=_PAGE, page_token=token)):
            for alias, version in model.aliases.items():
                aliases.setdefault((model.name, int(version)), []).append(alias)
        found = _pages(lambda token: self._client.search_model_versions(max_results=_PAGE, page_token=token))
        return [
            KnownVersion(
                model=each.name,
                version=int(each.version),
                run_id=str(each.run_id or ""),
                model_id=_model_id(each.source or ""),
                aliases=tuple(sorted(aliases.get((each.name, int(each.version)), ()))),
            )
            for each in found
        ]

    def why_changed(self, run: KnownRun) -> str | None:
        """Look once more at a run: a sentence if it is not as it was."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_run(run.run_id)
        except MlflowException as error:
            if error.error_code not in NOT_THERE:
                raise
            return "it is gone already"
        now = _known(found, {})
        if found.info.lifecycle_stage != "active":
            return "it is gone already"
        same = (now.status, now.ended, now.ongoing) == (run.status, run.ended, run.ongoing)
        return None if same else "it is being written again"

    def why_needed(self, run: KnownRun) -> str | None:
        """The same for a training run that is to go: also if a version, a release or a warm start refers to it now."""
        if changed := self.why_changed(run):
            return changed
        filters = [f"run_id = '{run.run_id}'", *(f"source_path = '{_MODEL}{each}'" for each in run.models)]
        for wanted in filters:
            for version in self._client.search_model_versions(wanted, max_results=1):
                return f"it has become version {version.version} of {version.name}"
        for experiment, wanted in (
            (RELEASES, f"tags.training_run = '{run.run_id}'"),
            (TRAINING, f"tags.warm_start LIKE '%{run.run_id}%'"),
        ):
            if other := self._first(experiment, wanted):
                return f"run {other} names it"
        return None

    def why_named(self, run: KnownRun) -> str | None:
        """The same for an evaluation that is to go: also if a training run names it now."""
        if changed := self.why_changed(run):
            return changed
        other = self._first(TRAINING, f"tags.evaluation_run = '{run.run_id}'")
        return f"run {other} names it" if other else None

    def has_artifact(self, run: KnownRun, folder: str, name: str) -> bool:
        """Whether a run has this artifact."""
        found = self._client.list_artifacts(run.run_id, folder)
        return any(each.path == f"{folder}/{name}" and not each.is_dir for each in found)

    def bytes_of(self, run: KnownRun) -> int:
        """Bytes of a run's artifacts and of those of its logged models, as far as they can be listed."""
        return sum(_size(place) for place in (run.artifacts, *run.models.values()) if place)

    def mark(self, run: KnownRun) -> None:
        """Have a run and its logged models be deleted for MLflow; again it goes on where it was."""
        from mlflow.exceptions import MlflowException

        # First what says which models go: a model that is marked is not found by its run any more.
        models = dict.fromkeys([*run.tags.get(PRUNED, "").split(), *run.models])
        self._client.set_tag(run.run_id, PRUNED, " ".join(models))
        for model_id in run.models:
            with contextlib.suppress(MlflowException):  # an earlier call has been there
                self._client.delete_logged_model(model_id)
        self._client.delete_run(run.run_id)

    def free(self, run: KnownRun) -> None:
        """Remove a run that is marked: artifacts, then the record that says where they are, the run's the last."""
        from mlflow.exceptions import MlflowException

        for model_id, place in run.models.items():
            _empty(place)
            try:
                self._store._hard_delete_logged_model(model_id)
            except MlflowException as error:
                if error.error_code not in NOT_THERE:
                    raise
        _empty(run.artifacts)
        self._store._hard_delete_run(run.run_id)

    def _with_marked_models(self, run: KnownRun) -> KnownRun:
        """The same run with the logged models that its mark names too, which its search does not find any more."""
        found = dict(run.models)
        for model_id in run.tags.get(PRUNED, "").split():
            with contextlib.suppress(Exception):  # it has been freed
                found[model_id] = str(self._store.get_logged_model(model_id, allow_deleted=True).artifact_location)
        return run.model_copy(update={"models": found})

    @property
    def _store(self) -> Any:
        from mlflow.tracking._tracking_service.utils import _get_store

        return _get_store(self._client.tracking_uri)  # type: ignore[no-untyped-call]

    def _first(self, experiment: str, wanted: str) -> str | None:
        """Id of a run of an experiment that a filter finds."""
        from mlflow.entities import ViewType

        found = self._client.get_experiment_by_name(experiment)
        runs = self._search(found.experiment_id, wanted, ViewType.ACTIVE_ONLY) if found else iter(())
        return next((str(run.info.run_id) for run in runs), None)

    def _search(self, experiment: str, wanted: str, view: int) -> Iterator["Run"]:
        newest = ["attributes.start_time DESC"]
        return _pages(
            lambda token: self._client.search_runs([experiment], wanted, view, _PAGE, newest, page_token=token)
        )

    def _models(self, experiment: str) -> Mapping[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for model in _pages(lambda token: self._client.search_logged_models([experiment], page_token=token)):
            found.setdefault(str(model.source_run_id), {})[str(model.model_id)] = str(model.artifact_location)
        return found


def _pages(ask: Any) -> Iterator[Any]:
    token = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return


def _known(run: "Run", models: Mapping[str, dict[str, str]]) -> KnownRun:
    process = ProcessName.parse(run.data.tags.get(PROCESS, ""))
    here = process is not None and process.machine == ProcessName.here().machine
    own = process == ProcessName.here()
    started = run.info.start_time or 0
    return KnownRun(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        status=run.info.status,
        started=started,
        ended=run.info.end_time or started,
        ongoing=run.info.status not in _TERMINAL or bool(process and here and not own and not process.is_dead),
        tags=dict(run.data.tags),
        artifacts=run.info.artifact_uri or "",
        models=models.get(run.info.run_id, {}),
    )


def _model_id(source: str) -> str:
    found = source.removeprefix(_MODEL)
    return found if source.startswith(_MODEL) and "/" not in found else ""


def _size(place: str) -> int:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    def below(path: str | None) -> Iterable[int]:
        for each in repository.list_artifacts(path):
            yield sum(below(each.path)) if each.is_dir else each.file_size or 0

    try:
        repository = get_artifact_repository(place)
        return sum(below(None))
    except Exception:  # each artifact store has errors of its own; what cannot be listed counts as nothing
        return 0


def _empty(place: str) -> None:
    """Remove the artifacts at an address; where there are none, that is what was wanted."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    repository: Any = get_artifact_repository(place)
    repository.delete_artifacts()
    if isinstance(repository, LocalArtifactRepository):
        with contextlib.suppress(OSError):  # the folder that MLflow made around them
            Path(repository.artifact_dir).parent.rmdir()
