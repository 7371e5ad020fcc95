"""The versions of the registered generator: found by alias or number; nothing of them is loaded."""

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan.errors import InputError, ModelNotFoundError
from tasks.runtime.settings import Settings
from tasks.tracking.client import client

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_NUMBER = re.compile(r"[0-9]{1,9}")
NOT_THERE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
CHECKPOINT = "checkpoint"  # tag of a version: what it was made from


@dataclass(frozen=True)
class RegisteredModel:
    """One version of the registered generator.

    Attributes:
        version: its number.
        run_id: the training run that it came from.
        dataset_md5: the dataset that it was trained on.
        class_names: names by label; empty for an unconditional model.
        name: the registered model that it is a version of.
    """

    version: int
    run_id: str
    dataset_md5: str
    class_names: tuple[str, ...]
    name: str

    @property
    def uri(self) -> str:
        """MLflow's address of this very version."""
        return f"models:/{self.name}/{self.version}"


def find_model(settings: Settings, name: str) -> RegisteredModel:
    """Look a version up by alias or number.

    Raises:
        ModelNotFoundError: the registry has no such version.
        ServiceError: no MLflow server answers.
    """
    return _record(find_version(settings, name))


def find_version(settings: Settings, name: str) -> "ModelVersion":
    """The same, as MLflow has it."""
    from mlflow.exceptions import MlflowException

    registry = client(settings)
    try:
        if _NUMBER.fullmatch(name):
            return registry.get_model_version(settings.model, name)
        if name.isprintable():
            return registry.get_model_version_by_alias(settings.model, name)
    except MlflowException as error:
        # Anything else, a locked database say, must not pass for an empty registry: it would promote any candidate.
        if error.error_code not in NOT_THERE:
            raise
    # what cannot be printed is not even asked for: databases and addresses fail on such a name
    raise ModelNotFoundError(
        f"the registry at {settings.tracking_place} has no {settings.model} «{name[:100]}»: train one with "
        f"`ganflow retrain`, or name a version number or one of {CHAMPION}, {CHALLENGER}, {PREVIOUS}"
    )


def _record(found: "ModelVersion") -> RegisteredModel:
    try:
        class_names = json.loads(found.tags.get("class_names", "[]"))
    except (ValueError, RecursionError):
        class_names = None
    if not isinstance(class_names, list) or not all(isinstance(each, str) for each in class_names):
        raise InputError(
            f"the tag class_names of {found.name} version {found.version} is no list of names: register its "
            "training run again, and ask who may write to the registry"
        )
    return RegisteredModel(
        version=int(found.version),
        run_id=str(found.run_id),
        dataset_md5=found.tags.get("dataset_md5", ""),
        class_names=tuple(class_names),
        name=str(found.name),
    )
