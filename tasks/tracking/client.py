"""MLflow tracking: the client, experiments, and what is logged to a run while work goes on."""

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gan.errors import BudgetSpentError, InputError, ResourcesError, ServiceError
from gan.text.shown import inert, reason_of
from tasks.runtime.failures import explained
from tasks.runtime.locks import hold_lock
from tasks.runtime.patience import patiently
from tasks.runtime.process_name import ProcessName
from tasks.runtime.scratch import local_scratch
from tasks.runtime.settings import Settings
from tasks.runtime.stopping import last_act

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from gan.configuration.config import Config

TRAINING = "ganflow-training"
DATASETS = "ganflow-datasets"
RELEASES = "ganflow-releases"
EVALUATIONS = "ganflow-evaluations"
RETRAININGS = "ganflow-retrainings"
TUNING = "ganflow-tuning"
CONFIG = "config.json"
# The process that writes a run, by which `end_abandoned_runs` finds the runs of those that were killed.
PROCESS = "process"
FAILURE = "failure"
ANSWER_SECONDS = 5.0
SQLITE = "sqlite:///"
QUIET = {
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Else the user's name and the path of the running program become tags of every model.
    "MLFLOW_RUN_CONTEXT": '{"mlflow.user": "ganflow", "mlflow.source.name": "ganflow"}',
    # It prints the address of each run that ends, with its password.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A dozen seconds in each call; its own 7 are four minutes. What matters is tried again by `tasks.runtime.patience`.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}
# Not a default: whatever is asked for, nothing that a registry names is unpickled.
NO_PICKLE = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
_log = logging.getLogger(__name__)


def client(settings: Settings) -> "MlflowClient":
    """A client of the tracking server and registry, whose database is made if it is SQLite and new.

    Raises:
        ServiceError: the address is a server's, and nothing answers there.
        InputError: the server asks for another password.
    """
    uri = settings.tracking_uri
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)  # read when MLflow is imported
    os.environ.update(NO_PICKLE)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # its tracebacks, of what is told anyway
    if urlsplit(uri).scheme in {"http", "https"}:
        _require_answer(settings)
    import mlflow

    try:
        _make_database(uri)
        _require_database(uri)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        opened = mlflow.MlflowClient(uri, uri)
        opened.search_registered_models(max_results=1)  # the first call opens the store
    except Exception as error:  # each sort of store has errors of its own
        place = settings.tracking_place
        if getattr(error, "error_code", None) == "UNAUTHENTICATED":
            raise InputError(
                f"the MLflow server at {place} asks for a password: export MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD"
            ) from None
        if isinstance(told := explained(error, place), ResourcesError):
            raise told from None
        why = reason_of(str(error).replace(uri, place) or type(error).__name__)
        raise ServiceError(
            f"MLflow cannot use {place} ({why}): try again later, or correct or unset MLFLOW_TRACKING_URI"
        ) from None
    return opened


def _make_database(uri: str) -> None:
    """Make the SQLite database complete or not at all: MLflow cannot use one that a kill left half made."""
    import mlflow

    path = Path(uri.removeprefix(SQLITE))
    if not uri.startswith(SQLITE) or path.exists() or not path.parent.is_dir():
        return
    # One at a time, so that whatever another process left of a draft can be removed.
    with hold_lock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return
        draft = path.with_name(f".{path.name}.draft")
        try:
            for left in path.parent.glob(f"{draft.name}*"):  # SQLite has files beside its own, too
                left.unlink()
            address = f"{SQLITE}{draft}"  # of the registry, too: else that of an earlier client in this process
            mlflow.MlflowClient(address, address).search_registered_models(max_results=1)
            with contextlib.suppress(FileExistsError):  # a program that is not ganflow was faster
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
            path.with_name(f".{path.name}.lock").unlink(missing_ok=True)


def _require_database(uri: str) -> None:
    """Connect to another database than SQLite once: MLflow would try for two minutes before it says what is wrong."""
    if "://" in uri and not uri.startswith((SQLITE, "http://", "https://", "file://")):
        import sqlalchemy

        sqlalchemy.create_engine(uri, poolclass=sqlalchemy.pool.NullPool).connect().close()


def _require_answer(settings: Settings) -> None:
    import requests

    try:
        # MLflow itself would retry for minutes before it says so.
        answer = requests.get(f"{settings.tracking_uri.rstrip('/')}/health", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise ServiceError(
            f"no MLflow server answers at {settings.tracking_place} ({type(error).__name__}): "
            "start it, or correct or unset MLFLOW_TRACKING_URI"
        ) from None


def experiment_id(mlflow_client: "MlflowClient", settings: Settings, name: str) -> str:
    """The experiment's id; it is made with an absolute artifact location, so that file and server agree on it."""
    from mlflow.exceptions import MlflowException

    found = mlflow_client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    is_file = settings.tracking_uri.startswith(SQLITE)
    location = (settings.home / "mlartifacts" / name).as_uri() if is_file else None
    try:
        return str(mlflow_client.create_experiment(name, artifact_location=location))
    except MlflowException:
        # Another process made it in between.
        found = mlflow_client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def create_run(settings: Settings, experiment: str, name: str, tags: Mapping[str, str]) -> "RunLog":
    """Begin an MLflow run; `ending` ends it.

    Raises:
        ServiceError: no MLflow server answers.
    """
    mlflow_client = client(settings)
    created = mlflow_client.create_run(
        experiment_id(mlflow_client, settings, experiment),
        run_name=inert(name),
        tags=_inert(tags) | {PROCESS: ProcessName.here().to_json()},
    )
    return RunLog(mlflow_client, created.info.run_id)


def reopen_run(settings: Settings, run_id: str) -> "RunLog":
    """Begin again with a run that has ended, or was never ended because its process was killed."""
    mlflow_client = client(settings)
    with contextlib.suppress(Exception):  # it may never have failed
        mlflow_client.delete_tag(run_id, FAILURE)
    mlflow_client.set_tag(run_id, PROCESS, ProcessName.here().to_json())
    mlflow_client.update_run(run_id, status="RUNNING")
    return RunLog(mlflow_client, run_id)


@contextlib.contextmanager
def ending(log: "RunLog") -> Iterator["RunLog"]:
    """End a run with the block: FINISHED, FAILED if the block raises, or KILLED if it is stopped or out of time."""
    try:
        with last_act(lambda: log.client.set_terminated(log.run_id, "KILLED")):
            yield log
    except BaseException as error:
        with contextlib.suppress(Exception):  # what failed first is what is told
            log.tags({FAILURE: type(error).__name__})
            stopped = isinstance(error, BudgetSpentError) or not isinstance(error, Exception)
            log.client.set_terminated(log.run_id, "KILLED" if stopped else "FAILED")
        raise
    patiently(lambda: log.client.set_terminated(log.run_id), "telling MLflow that the run is finished", _log.warning)


def end_abandoned_runs(settings: Settings) -> list[str]:
    """Set the runs to KILLED that a process of this machine began and did not live to end; return their ids."""
    mlflow_client = client(settings)
    names = (TRAINING, DATASETS, RELEASES, EVALUATIONS, RETRAININGS, TUNING)
    known = [mlflow_client.get_experiment_by_name(name) for name in names]
    running = mlflow_client.search_runs(
        [each.experiment_id for each in known if each], "attributes.status = 'RUNNING'", max_results=1000
    )
    ended = []
    for one in running:
        process = ProcessName.parse(one.data.tags.get(PROCESS, ""))
        if process is not None and process.is_dead:
            mlflow_client.set_terminated(one.info.run_id, "KILLED")
            ended.append(str(one.info.run_id))
    return ended


@contextlib.contextmanager
def run(settings: Settings, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator["RunLog"]:
    """Open an MLflow run; it ends FINISHED, or FAILED if the block raises.

    Raises:
        ServiceError: no MLflow server answers.
    """
    with ending(create_run(settings, experiment, name, tags)) as log:
        yield log


class RunLog:
    """What can be written to one MLflow run; safe to use from any thread.

    Args:
        mlflow_client: the client that made the run.
        run_id: the run.
    """

    def __init__(self, mlflow_client: "MlflowClient", run_id: str) -> None:
        self.client = mlflow_client
        self.run_id = run_id

    def params(self, config: "Config") -> None:
        """Log the configuration tree as dotted params and as `config.json`."""
        from mlflow.entities import Param

        tree = config.model_dump(mode="json")
        self.client.log_batch(self.run_id, params=[Param(key, str(value)) for key, value in _flatten(tree)])
        self.config(config)

    def config(self, config: "Config") -> None:
        """Log the configuration tree as `config.json`, in place of an earlier one; params cannot be replaced."""
        self.text(json.dumps(config.model_dump(mode="json"), indent=2) + "\n", CONFIG)

    def metrics(self, values: Mapping[str, float], step: int, at: float | None = None) -> None:
        """Log numbers at an image count.

        Args:
            values: by key.
            step: images.
            at: when they were measured, in seconds since 1970; now without it.
        """
        from mlflow.entities import Metric

        now = int((time.time() if at is None else at) * 1000)
        self.client.log_batch(self.run_id, metrics=[Metric(key, value, now, step) for key, value in values.items()])

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set tags."""
        for key, value in _inert(tags).items():
            self.client.set_tag(self.run_id, key, value)

    def text(self, text: str, path: str) -> None:
        """Store a text as the artifact `path`."""
        self.client.log_text(self.run_id, text, path)

    def bytes(self, data: bytes, path: str) -> None:
        """Store bytes as the artifact `path`."""
        with local_scratch("artifact") as folder:
            file = folder / Path(path).name
            file.write_bytes(data)
            self.file(file, str(Path(path).parent))

    def file(self, file: Path, folder: str = ".") -> None:
        """Store a file under its own name in the artifact folder `folder`."""
        self.client.log_artifact(self.run_id, str(file), None if folder == "." else folder)

    def folder(self, folder: Path, path: str) -> None:
        """Store a folder's files as the artifact folder `path`."""
        self.client.log_artifacts(self.run_id, str(folder), path)


def _inert(tags: Mapping[str, str]) -> dict[str, str]:
    """Of what is read back nothing changes: hashes, ids, and JSON in ASCII."""
    return {key: inert(value) for key, value in tags.items()}


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
