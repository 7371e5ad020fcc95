"""The configuration that a training run, a registered version or a checkpoint carries; a run's needs no torch."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gan.configuration.parsing import parse_config
from gan.configuration.presets import PRESETS
from gan.configuration.provenance import Configuration, Origin
from gan.errors import ConfigError, InputError
from tasks.runtime.settings import Settings
from tasks.tracking.client import CONFIG, client
from tasks.tracking.runs import run_artifact

if TYPE_CHECKING:
    from tasks.tracking.versions import RegisteredModel

RUN_ID_LENGTH = 32


def kind_of(name: str) -> Literal["checkpoint", "run", "version"]:
    """What a person means by a name: a checkpoint folder, the id of a training run, else an alias or a version.

    Raises:
        InputError: it is the path of a folder that is not there.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # of names that no folder can have
        if Path(name).expanduser().is_dir():
            return "checkpoint"
    if "/" in name:
        raise InputError(f"there is no checkpoint folder {name}: name one, a run id, or an alias or version")
    return "run" if len(name) == RUN_ID_LENGTH and name.isalnum() else "version"


def fixed_name(settings: Settings, name: str) -> str:
    """The same as `name` for as long as it is there: an alias, which may move meanwhile, by the version's number.

    Raises:
        InputError: there is no such version.
    """
    if kind_of(name) != "version" or name.isdecimal():
        return name
    from tasks.tracking.versions import find_model

    return str(find_model(settings, name).version)


def own_configuration(settings: Settings, name: str) -> Configuration:
    """What anything that can be evaluated says of itself.

    Args:
        settings: where runs and models are.
        name: a checkpoint folder, the id of a training run, or an alias or version of the registered model.

    Raises:
        InputError: there is no such thing, or its configuration is not this ganflow's.
        CheckpointError: the folder is no complete checkpoint.
    """
    kind = kind_of(name)
    if kind == "run":
        return run_configuration(settings, name)
    if kind == "checkpoint":
        from gan.training.checkpoint import load_header

        folder = Path(name).expanduser().absolute()
        return _configuration("checkpoint", folder.name, load_header(folder).config)
    from tasks.tracking.versions import find_model

    return version_configuration(settings, find_model(settings, name))


def run_configuration(settings: Settings, run_id: str) -> Configuration:
    """What a training run was begun or last gone on with.

    Raises:
        InputError: there is no such run, it is no training, or its configuration is not this ganflow's.
    """
    return _configuration("run", run_id, _of_run(settings, run_id))


def version_configuration(settings: Settings, model: "RegisteredModel") -> Configuration:
    """What a registered version was trained with; older versions leave it to their run.

    Raises:
        ConfigError: neither carries one, or it is not this ganflow's.
    """
    client(settings)
    import mlflow

    tree = None
    with contextlib.suppress(Exception):  # its file may hold anything, and MLflow reads it without a look
        tree = (mlflow.models.get_model_info(model.uri).metadata or {}).get("config")
    with contextlib.suppress(InputError):
        tree = tree or _of_run(settings, model.run_id)
    if not tree:
        raise ConfigError(
            f"version {model.version} carries no configuration, and its run {model.run_id} has none any more: "
            "name one with --preset, see `ganflow presets`"
        )
    return _configuration("version", str(model.version), tree)


def _of_run(settings: Settings, run_id: str) -> Any:
    path = run_artifact(settings, run_id, CONFIG)
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        return None


def _configuration(origin: Origin, name: str, tree: Any) -> Configuration:
    try:
        return Configuration(origin=origin, name=name, config=parse_config(tree))
    except ConfigError as error:
        began = tree.get("preset") if isinstance(tree, dict) else None
        known = isinstance(began, str) and began in PRESETS
        which = f"--preset {began}, as it began," if known else "one with --preset, see `ganflow presets`,"
        raise ConfigError(
            f"the configuration of {origin} {name} was written by another ganflow and cannot be read ({error}): name "
            f"{which} with --set for what was changed"
        ) from None
