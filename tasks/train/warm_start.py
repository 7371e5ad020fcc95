"""A warm start: a training that begins with the networks of a registered model, and what is written down of that."""

import hashlib
import json
from dataclasses import asdict, dataclass

from gan.errors import CheckpointError, InputError
from gan.training.checkpoint import HEADER
from gan.training.header import Header, WarmStartRecord, require_same_networks
from tasks.runtime.settings import Settings
from tasks.tracking.runs import run_artifact
from tasks.tracking.versions import find_model
from tasks.train.run_storage import WARM_START, RunStorage


@dataclass(frozen=True)
class WarmStart:
    """The registered model that a training begins with.

    Attributes:
        version: its number.
        run_id: the training run that its checkpoint lies beside.
        dataset_md5: the dataset that it was trained on.
        header: of its checkpoint.
        model: the registered model that it is a version of.
    """

    version: int
    run_id: str
    dataset_md5: str
    header: Header
    model: str

    @property
    def record(self) -> WarmStartRecord:
        """What checkpoints and the MLflow run say of it."""
        return WarmStartRecord(self.version, self.run_id, self.dataset_md5)

    @property
    def name(self) -> str:
        """What a sentence calls it."""
        return f"{self.model} version {self.version}"


def find_warm_start(settings: Settings, model: str) -> WarmStart:
    """Look a model up by alias or number, and read the header of its checkpoint.

    Raises:
        ModelNotFoundError: there is none.
        InputError: its checkpoint is gone, or of another format.
    """
    found = find_model(settings, model)
    text = run_artifact(settings, found.run_id, f"checkpoint/{HEADER}").read_bytes()
    try:
        header = Header.parse(text, f"{found.name} version {found.version}")
    except CheckpointError as error:
        raise InputError(str(error)) from None
    return WarmStart(found.version, found.run_id, found.dataset_md5, header, found.name)


def require_fit(start: WarmStart, header: Header) -> list[str]:
    """Refuse a warm start whose networks have other shapes than the run's, unless what fits is asked for.

    Returns:
        Sentences on what fits but may not be meant.

    Raises:
        InputError: the first key that differs, with both values.
    """
    if header.config.get("train", {}).get("warm_start") == "fitting":
        return [f"training begins with what fits of {start.name}, and says how much that is"]
    try:
        require_same_networks(start.header, header, start.name)
    except CheckpointError as error:
        raise InputError(f"{error}; or take what fits: --set train.warm_start=fitting") from None
    if header.num_classes and start.header.class_names != header.class_names:
        return [
            f"the classes of {start.name} have other names than those of the dataset: "
            "each class begins with what was learned of the one in its place"
        ]
    return []


def store_warm_start(settings: Settings, start: WarmStart, run_id: str) -> None:
    """Put the checkpoint into the run's folder in the storage, which every worker of a cluster reaches."""
    RunStorage(settings.storage, run_id).keep(run_artifact(settings, start.run_id, "checkpoint"), WARM_START)


def training_hash_with(config_hash: str, warm_start: WarmStartRecord | None) -> str:
    """A configuration's hash, and another one for each warm start: what comes out of these is another result."""
    if warm_start is None:
        return config_hash
    text = config_hash + json.dumps(asdict(warm_start), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
