"""Whether a registered version can be measured on the dataset of a training run: classes, size and channels."""

import contextlib
from typing import NamedTuple

from gan.configuration.parsing import parse_network
from gan.training.checkpoint import load_header
from tasks.runtime.failures import explained
from tasks.runtime.settings import Settings
from tasks.tracking.client import client
from tasks.tracking.runs import run_artifact
from tasks.tracking.version_tags import version_tags
from tasks.tracking.versions import RegisteredModel

RESOLUTION, CHANNELS = "resolution", "channels"


class Size(NamedTuple):
    """What images are like."""

    resolution: int
    channels: int

    def __str__(self) -> str:
        colours = {1: "grey", 3: "colour"}.get(self.channels, f"{self.channels} channels")
        return f"{self.resolution}x{self.resolution} px in {colours}"

    def tags(self) -> dict[str, str]:
        """Return the tags by which a version says so."""
        return {RESOLUTION: str(self.resolution), CHANNELS: str(self.channels)}


def why_not_comparable(settings: Settings, model: RegisteredModel, run_id: str) -> str | None:
    """Say in what a version differs from a run so that the two cannot be measured on the run's dataset; None: it can.

    A version without classes draws images of any.

    Raises:
        InputError: there is no such run, or it has no checkpoint.
        CheckpointError: its checkpoint is no complete one.
        ServiceError: MLflow does not answer.
    """
    header = load_header(run_artifact(settings, run_id, "checkpoint"))
    if model.class_names and model.class_names != header.class_names:
        return "draws other classes than the dataset has now"
    ours = Size(parse_network(header.config).resolution, header.channels)
    theirs = _size(settings, model)
    if theirs is None:
        return f"does not say how large its images are, and the candidate's are {ours}"
    return None if theirs == ours else f"makes images of {theirs}, and the candidate makes {ours}"


def _size(settings: Settings, model: RegisteredModel) -> Size | None:
    """What a version's tags say of its images, or its model's signature: older versions have no such tags."""
    tags = version_tags(settings, model)
    with contextlib.suppress(KeyError, ValueError):  # anyone may have written them
        return Size(int(tags[RESOLUTION]), int(tags[CHANNELS]))
    client(settings)
    import mlflow

    try:
        _, height, width, channels = mlflow.models.get_model_info(model.uri).signature.outputs.inputs[0].shape
    except Exception as error:  # its file may hold anything, and MLflow reads it without a look
        if told := explained(error):  # the store is away, say: the version may be as it should
            raise told from None
        return None
    return Size(height, channels) if height == width else None
