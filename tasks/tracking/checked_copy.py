"""A registered version as its users download it, looked at before MLflow's loader sees it, which runs what it names."""

from pathlib import Path
from typing import Any

from gan.errors import UnsafeModelError
from gan.generation.program_file import load_program_file
from tasks.runtime.failures import explained
from tasks.runtime.settings import Settings
from tasks.tracking.client import client
from tasks.tracking.logged_model import PROGRAM_FILE, quiet
from tasks.tracking.versions import RegisteredModel

# What MLflow's flavors may say of themselves: modules that they name are imported, and code that they bring is run.
_ALLOWED: dict[str, tuple[str | None, ...]] = {
    "loader_module": ("mlflow.pytorch",),
    "pickle_module_name": (None, "mlflow.pytorch.pickle_module"),
    "data": (None, "data"),
    "model_data": (None, "data"),
    "code": (None,),
}


def checked_copy(settings: Settings, model: RegisteredModel, folder: Path) -> Path:
    """Download a whole version, and return where it is.

    Raises:
        UnsafeModelError: it holds no program of `torch.export`, or more than tensors, a graph and MLflow's own loader.
        ServiceError: MLflow or its artifact store is away.
    """
    client(settings)
    import mlflow

    with quiet():
        try:
            copy = Path(mlflow.artifacts.download_artifacts(artifact_uri=model.uri, dst_path=str(folder)))
            flavors = mlflow.models.Model.load(str(copy)).flavors
        except Exception as error:  # each artifact store has errors of its own, and a version may name any
            if told := explained(error):  # the store is away, say: the version may be as it should
                raise told from None
            raise _unsafe(model, f"cannot be downloaded ({type(error).__name__})") from None
    if not _runs_nothing(flavors):
        raise _unsafe(model, "wants other code than MLflow's own to be run")
    program = copy / PROGRAM_FILE
    if [path for path in program.parent.rglob("*") if path != program]:
        raise _unsafe(model, f"has more than {PROGRAM_FILE}")
    load_program_file(program)
    return copy


def _runs_nothing(flavors: Any) -> bool:
    if not isinstance(flavors, dict) or set(flavors) != {"python_function", "pytorch"}:
        return False
    if not all(isinstance(flavor, dict) for flavor in flavors.values()):
        return False
    return "loader_module" in flavors["python_function"] and all(
        flavor[key] in values for flavor in flavors.values() for key, values in _ALLOWED.items() if key in flavor
    )


def _unsafe(model: RegisteredModel, why: str) -> UnsafeModelError:
    return UnsafeModelError(f"version {model.version} {why}: register the training run again")
