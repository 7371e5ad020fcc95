"""What a run was made from, in MLflow's own records: datasets and models as inputs, and scores tied to both.

These are what MLflow's pages show and search by; no run is made the current one of this process for that.
"""

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from tasks.tracking.client import RunLog, client
from tasks.tracking.versions import NOT_THERE, find_version

if TYPE_CHECKING:
    from mlflow.entities import Metric

    from tasks.runtime.settings import Settings

DATASET, IMAGES = "dataset", "images"
_SOURCE = re.compile(r"models:/(m-[0-9a-f]{32})")
_MD5_LENGTH = 32
_LONGEST_DIGEST = 36  # that MLflow takes


def log_dataset(log: RunLog, md5: str, split: str, context: Literal["training", "evaluation"]) -> None:
    """Log a dataset as the input of a run; again it changes nothing.

    Args:
        log: the run.
        md5: of a version in DVC, or the digest of other images.
        split: that was read.
        context: what for.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name, digest = _named(md5)
    # A sort of source that MLflow knows, and that it never tries to load.
    source = json.dumps({"tags": {"dvc_md5": md5} if name == DATASET else {"digest": md5}})
    given = DatasetInput(
        Dataset(name=name, digest=digest, source_type="code", source=source),
        [InputTag("mlflow.data.context", context), InputTag("split", split)],
    )
    log.client.log_inputs(log.run_id, datasets=[given])


def log_model_input(log: RunLog, model_id: str | None) -> None:
    """Log a model as the input of a run; None: MLflow knows no logged model of the version."""
    from mlflow.entities import LoggedModelInput

    if model_id is not None:
        log.client.log_inputs(log.run_id, models=[LoggedModelInput(model_id)])


def log_scores(log: RunLog, values: Mapping[str, float], step: int, *, dataset_md5: str, model_id: str | None) -> None:
    """Log numbers of a run that also are those of a model on a dataset, where there is a model.

    Args:
        log: the run.
        values: by key.
        step: images.
        dataset_md5: what was measured against; the run has it as an input.
        model_id: of the model; None: they are the run's alone.
    """
    from mlflow.entities import Metric

    name, digest = _named(dataset_md5)
    now = int(time.time() * 1000)

    def metric(key: str, value: float) -> "Metric":
        return Metric(key, value, now, step, model_id=model_id, dataset_name=name, dataset_digest=digest)

    log.client.log_batch(log.run_id, metrics=[metric(key, value) for key, value in values.items()])


def version_model_id(settings: "Settings", version: int) -> str | None:
    """The id of the logged model behind a version; None: its source names none, or one that is gone.

    Raises:
        ModelNotFoundError: the registry has no such version.
    """
    from mlflow.exceptions import MlflowException

    source = _SOURCE.fullmatch(find_version(settings, str(version)).source or "")
    if source is None:
        return None
    try:
        return str(client(settings).get_logged_model(source[1]).model_id)
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        return None


def _named(md5: str) -> tuple[str, str]:
    """Return name and digest of the input: a version's whole, of other images as much as there is room for."""
    return (DATASET, md5) if len(md5) == _MD5_LENGTH else (IMAGES, md5[:_LONGEST_DIGEST])
