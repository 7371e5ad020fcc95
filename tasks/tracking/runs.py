"""What MLflow knows of the runs there have been: seeds used up, trainings cut short, artifacts, tags."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gan.configuration.config import Config
from gan.errors import InputError, NonFiniteLossError
from tasks.runtime.failures import explained
from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.tracking.client import FAILURE, PROCESS, TRAINING, client, experiment_id

if TYPE_CHECKING:
    from mlflow.entities import Run

# A tag of a training that was to give a version again: it is no candidate, and uses no seed up.
REPRODUCES = "reproduces"
_SEED = re.compile(r"[0-9]{1,19}")


def next_seed(settings: Settings, config: Config, dataset_md5: str, recipe: str | None = None) -> int:
    """The config's seed, or the one behind the last that this recipe has been trained with on this dataset.

    A training that was cut short keeps its seed for whoever goes on with it, one that is being trained does not.

    Args:
        settings: where the runs are.
        config: the configuration.
        dataset_md5: the dataset.
        recipe: the tag `recipe` of such runs; None: the configuration's own hash, as without a warm start.
    """
    mlflow_client = client(settings)
    experiment = experiment_id(mlflow_client, settings, TRAINING)
    same = f"tags.recipe = '{recipe or config.recipe_hash()}' and tags.dataset_md5 = '{dataset_md5}'"
    done = [
        one
        # A loss that became infinite would do so again.
        for over in ("attributes.status = 'FINISHED'", f"tags.{FAILURE} = '{NonFiniteLossError.__name__}'")
        for one in mlflow_client.search_runs([experiment], f"{same} and {over}")
    ]
    running = mlflow_client.search_runs([experiment], f"{same} and attributes.status = 'RUNNING'")
    done += [one for one in running if not _is_dead(one)]
    seeds = [seed for one in done if (seed := seed_of(one)) is not None]
    return max([config.train.seed, *(seed + 1 for seed in seeds)])


def seed_of(run: "Run") -> int | None:
    """The seed that a run was trained with; None where it says none that can be one: anyone may write a run."""
    named = run.data.params.get("train.seed", "")
    return int(named) if _SEED.fullmatch(named) else None


def _is_dead(run: "Run") -> bool:
    process = ProcessName.parse(run.data.tags.get(PROCESS, ""))
    return process is None or process.is_dead


def unfinished_trainings(settings: Settings, training_hash: str, dataset_md5: str) -> list[str]:
    """Ids of the trainings that did not come to their end, newest first: failed, ended by hand, or killed."""
    mlflow_client = client(settings)
    found = mlflow_client.search_runs(
        [experiment_id(mlflow_client, settings, TRAINING)],
        f"tags.training_hash = '{training_hash}' and tags.dataset_md5 = '{dataset_md5}' "
        "and attributes.status != 'FINISHED'",
        order_by=["attributes.start_time DESC"],
    )
    return [str(one.info.run_id) for one in found]


def run_artifact(settings: Settings, run_id: str, path: str) -> Path:
    """A local copy of a run's artifact, or the artifact itself where it is a local file.

    Raises:
        InputError: there is no such run, or it has no such artifact.
        ServiceError: MLflow does not answer.
    """
    client(settings)
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path))
    except (MlflowException, OSError) as error:
        if (told := explained(error, settings.home)) is not None:
            raise told from error
        raise InputError(
            f"there is no run {run_id} with the artifact {path} in MLflow at {settings.tracking_place}: "
            "give the run id that `ganflow train` printed"
        ) from None


def run_tags(settings: Settings, run_id: str) -> dict[str, str]:
    """The tags of a run.

    Raises:
        InputError: there is no such run.
    """
    return dict(_find_run(settings, run_id).data.tags)


def is_finished(settings: Settings, run_id: str) -> bool:
    """Whether a run came to its end without a failure.

    Raises:
        InputError: there is no such run.
    """
    return bool(_find_run(settings, run_id).info.status == "FINISHED")


def _find_run(settings: Settings, run_id: str) -> "Run":
    from mlflow.exceptions import MlflowException

    try:
        return client(settings).get_run(run_id)
    except MlflowException as error:
        if (told := explained(error)) is not None:
            raise told from error
        raise InputError(
            f"there is no run {run_id} in MLflow at {settings.tracking_place}: "
            "give the run id that `ganflow train` printed"
        ) from None


def run_dataset(settings: Settings, run_id: str) -> str:
    """The md5 of the dataset that a candidate was trained on.

    Raises:
        InputError: there is no such run, it is no training of ganflow's, or it was made to reproduce a version.
    """
    tags = run_tags(settings, run_id)
    if REPRODUCES in tags:
        raise InputError(
            f"the run {run_id} was made to reproduce version {tags[REPRODUCES]} and is no candidate: register that of "
            "`ganflow train`"
        )
    md5 = tags.get("dataset_md5")
    if md5 is None:
        raise InputError(f"the run {run_id} is no training of ganflow: give the run id that `ganflow train` printed")
    return md5
