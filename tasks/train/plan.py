"""What a training will be, found and checked before anything starts."""

import json
from dataclasses import asdict, dataclass

from gan.configuration.config import Config
from gan.networks.efficientnet import find_features
from gan.training.header import Header
from tasks.dataset.current import CurrentDataset, current_dataset
from tasks.runtime.settings import Settings
from tasks.train.resume import Unfinished, find_unfinished, newest_unfinished, require_same_run
from tasks.train.trainer import checkpoint_header
from tasks.train.warm_start import WarmStart, find_warm_start, require_fit, training_hash_with

AUTO = "auto"


@dataclass(frozen=True)
class TrainingPlan:
    """A training before it starts.

    Attributes:
        config: its configuration.
        dataset: what it is trained on.
        header: what its checkpoints carry.
        resumed: the run that it goes on with; None: a new one.
        warm_start: the model that a new run begins with; None: random networks.
        notes: sentences for the user.
    """

    config: Config
    dataset: CurrentDataset
    header: Header
    resumed: Unfinished | None
    warm_start: WarmStart | None
    notes: tuple[str, ...]

    @property
    def tags(self) -> dict[str, str]:
        """By which its MLflow run is found again."""
        record = self.header.warm_start
        tags = {
            "dataset_md5": self.dataset.md5,
            "preset": self.config.preset,
            "training_hash": self.header.training_hash,
            "recipe": training_hash_with(self.config.recipe_hash(), record),
        }
        return tags | ({"warm_start": json.dumps(asdict(record))} if record else {})


def plan_training(
    settings: Settings, config: Config, *, resume: str | None = None, warm_start: str | None = None
) -> TrainingPlan:
    """Find dataset, run and model, and check that they fit together; nothing is made.

    Args:
        settings: where everything is.
        config: the configuration.
        resume: id of the run to go on with; `auto`: the newest unfinished one of this recipe, or else a new run.
        warm_start: alias or version of the registered model to begin with. A run that is named keeps its own.

    Raises:
        InputError: the dataset, the run or the model does not fit, or is not there.
        WeightsError: the discriminator needs features that are not installed.
    """
    if config.network.architecture == "projected":
        find_features()
    dataset = current_dataset(settings)
    start = find_warm_start(settings, warm_start) if warm_start else None
    named = find_unfinished(settings, resume) if resume and resume != AUTO else None
    record = start.record if start else None
    if named and start is None:
        record = named.header.warm_start
    header = checkpoint_header(config, dataset.info, dataset.md5, record)
    resumed, notes = named, list[str]()
    if named:
        require_same_run(named, header)
    elif resume == AUTO:
        resumed = newest_unfinished(settings, header)
        if resumed is None:
            notes.append("no unfinished run of this recipe on this dataset can go on: a new run begins")
    if resumed:
        notes.append(f"run {resumed.run_id} goes on from image {resumed.cur_nimg}")
    elif start:
        notes += require_fit(start, header)
    return TrainingPlan(config, dataset, header, resumed, None if resumed else start, tuple(notes))
