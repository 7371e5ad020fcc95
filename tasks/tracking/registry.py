"""The MLflow registry: what becomes a version of the generator, and programs loaded from it."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gan.configuration.parsing import parse_network
from gan.configuration.vocabulary import Precision
from gan.errors import CheckpointError, ConfigError, LabelError, UnsafeModelError
from gan.generation.export import SeededGenerator
from gan.generation.program_file import load_program_bytes, read_program_file
from gan.generation.sampling import Program
from gan.generation.truncation import truncated_program
from gan.networks.build import rebuild_generator
from gan.training.checkpoint import load_header, load_tensors
from tasks.runtime.failures import explained
from tasks.runtime.scratch import scratch_folder
from tasks.runtime.settings import Settings
from tasks.tracking.client import RunLog, client
from tasks.tracking.logged_model import PROGRAM_FILE, log_model, quiet
from tasks.tracking.own_configuration import version_configuration
from tasks.tracking.versions import CHALLENGER, CHECKPOINT, RegisteredModel, find_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ABOUT = "Synthetic images: (seed, label) -> uint8 pixels."


def load_generator(checkpoint: Path) -> SeededGenerator:
    """G_ema of a checkpoint as a program on the CPU.

    Raises:
        CheckpointError: the folder is no complete checkpoint, or a weight is not finite.
    """
    header = load_header(checkpoint)
    try:
        network = parse_network(header.config)
    except ConfigError as error:
        raise CheckpointError(f"{checkpoint} was made by another version of ganflow ({error}): use that one") from None
    tensors = load_tensors(checkpoint, torch.device("cpu"))
    try:
        generator = rebuild_generator(network, tensors.get("G_ema"), **header.shape)
    except ValueError as error:
        raise CheckpointError(
            f"the tensors in {checkpoint} do not fit its header ({error}): name another checkpoint"
        ) from None
    if broken := [name for name, value in generator.state_dict().items() if not value.isfinite().all()]:
        raise CheckpointError(
            f"the generator in {checkpoint} has weights that are no finite numbers (in {broken[0]}): name another one"
        )
    return SeededGenerator(generator)


def load_program(
    settings: Settings,
    model: RegisteredModel,
    psi: float = 1.0,
    precision: Precision = "fp32",
    device: torch.device | None = None,
) -> Program:
    """Load a registered version as the function (seed, label) -> images; nothing that it brings is run.

    Args:
        settings: where the registry is.
        model: the version.
        psi: of `truncated_program`; 1: the program as it is registered.
        precision: of its convolutions and matrix products.
        device: where it draws; the CPU if not given.

    Raises:
        UnsafeModelError: the version holds no exported program, or one that is more than tensors and a graph.
        TruncationError: see `truncated`.
        ServiceError: MLflow or its artifact store is away.
    """
    content, file = read_program(settings, model)
    return load_program_bytes(truncated(settings, model, content, psi), file, device, precision)


def truncated(settings: Settings, model: RegisteredModel, content: bytes, psi: float) -> bytes:
    """Return the file of a version's program, truncated towards the mean of each class.

    Args:
        settings: where the registry is.
        model: the version.
        content: of the file that is registered.
        psi: of `truncated_program`; 1: the file as it is.

    Raises:
        TruncationError: the network that the version's configuration describes does not draw what its program does.
        ConfigError: the version carries no configuration, or it is not this ganflow's.
        UnsafeModelError: the file is no exported program.
    """
    if psi == 1.0:
        return content
    network = version_configuration(settings, model).config.network
    called = f"{model.name} version {model.version}"
    return truncated_program(content, called, network, num_classes=len(model.class_names), psi=psi)


def read_program(settings: Settings, model: RegisteredModel) -> tuple[bytes, str]:
    """Return the bytes of a registered version's program, and what to call their file.

    Raises:
        UnsafeModelError: the version holds no exported program.
        ServiceError: MLflow or its artifact store is away.
    """
    client(settings)
    from mlflow.artifacts import download_artifacts

    with scratch_folder(settings, "program") as folder, quiet():
        try:
            file = download_artifacts(artifact_uri=f"{model.uri}/{PROGRAM_FILE}", dst_path=str(folder))
        except Exception as error:  # each artifact store has errors of its own, and a version may name any
            if told := explained(error):  # the store is away, say: the version may be as it should
                raise told from None
            find_model(settings, str(model.version))  # or it was deleted since it was looked up
            raise UnsafeModelError(
                f"{model.name} version {model.version} has no {PROGRAM_FILE} that can be read "
                f"({type(error).__name__}): only programs of torch.export are loaded; register the training run again"
            ) from None
        return read_program_file(Path(file)), file


def require_label(model: RegisteredModel, label: int) -> None:
    """Refuse a label that the graph would fail on.

    Raises:
        LabelError: the label is neither a class of the model nor -1.
    """
    if label == -1 or (model.class_names and 0 <= label < len(model.class_names)):
        return
    if not model.class_names:
        raise LabelError(
            f"label {label} was asked for but {model.name} version {model.version} has no classes: leave --label away"
        )
    raise LabelError(
        f"label {label} is outside the classes of {model.name} version {model.version}: "
        f"give 0 to {len(model.class_names) - 1}, or -1 to draw the class from the seed"
    )


def register_version(
    settings: Settings,
    run: RunLog,
    generator: SeededGenerator,
    *,
    checkpoint: str,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    card: str,
) -> RegisteredModel:
    """Export a generator into its run, add it to the registry and call it challenger.

    A run's checkpoint becomes one version: registered again, the version that is there takes the tags and the card.

    Args:
        settings: where the registry is.
        run: the training run; its status stays what it is.
        generator: the program, eager.
        checkpoint: what it was made from, as the sha256 of its list of hashes.
        config: what it was trained with, as a JSON tree; the version carries it, whether its run is there or not.
        tags: facts on the version, such as `dataset_md5` and `class_names` (a JSON list).
        card: the model card, Markdown.
    """
    from mlflow.exceptions import MlflowException

    registry = client(settings)
    facts = {**tags, CHECKPOINT: checkpoint}
    version = _version_of(registry, settings.model, run.run_id, checkpoint)
    if version is None:
        uri, model_id = log_model(registry, run.run_id, generator, config)
        with contextlib.suppress(MlflowException):  # it is there already
            registry.create_registered_model(settings.model, description=_ABOUT)
        created = registry.create_model_version(
            settings.model, uri, run_id=run.run_id, tags=facts, description=card, model_id=model_id
        )
        version = _version_of(registry, settings.model, run.run_id, checkpoint) or str(created.version)
        if version != str(created.version):  # another process registered the same meanwhile, and was first
            registry.delete_model_version(settings.model, str(created.version))
    else:
        for key, value in facts.items():
            registry.set_model_version_tag(settings.model, version, key, value)
        registry.update_model_version(settings.model, version, description=card)
    registry.set_registered_model_alias(settings.model, CHALLENGER, version)
    return find_model(settings, version)


def _version_of(registry: "MlflowClient", model: str, run_id: str, checkpoint: str) -> str | None:
    found = registry.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
    numbers = [int(each.version) for each in found if each.tags.get(CHECKPOINT) == checkpoint]
    return str(min(numbers)) if numbers else None
