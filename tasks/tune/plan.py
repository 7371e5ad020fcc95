"""What a search will be, checked before anything starts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from gan.configuration.config import Config
from gan.configuration.provenance import Configuration
from gan.errors import ConfigError
from gan.networks.efficientnet import find_features
from gan.training.header import Header
from tasks.dataset.current import CurrentDataset, current_dataset
from tasks.runtime.settings import Settings
from tasks.train.trainer import checkpoint_header
from tasks.tune.space import Dimension, draw_trials, search_space

HALVING = 2
"""Of those that came to a rung, one in so many goes on."""
MARKS = 4
"""Checkpoints of a trial, each of which is scored."""
WATCH_IMAGES = 250
"""Generated images of a score, where the preset asks for no scores."""


@dataclass(frozen=True)
class TuningPlan:
    """A search before it starts.

    Attributes:
        configuration: as the person gave it.
        config: what all trials begin as: that configuration at their length.
        dataset: what they are trained on.
        space: what is searched over.
        trials: changes of each; the first has none, it is the preset itself.
        headers: what the checkpoints of each carry.
    """

    configuration: Configuration
    config: Config
    dataset: CurrentDataset
    space: tuple[Dimension, ...]
    trials: tuple[tuple[str, ...], ...]
    headers: tuple[Header, ...]

    @property
    def kimg(self) -> float:
        """Length of a trial that nothing stops."""
        return self.config.train.total_kimg

    @property
    def key(self) -> str:
        """Names the search: what is the same goes on where it was."""
        told = [
            [header.training_hash for header in self.headers],
            self.dataset.md5,
            self.config.evaluation.model_dump(),
        ]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def plan_tuning(
    settings: Settings, configuration: Configuration, searched: Sequence[str], trials: int, kimg: float | None
) -> TuningPlan:
    """Find the dataset and draw the trials, each of which must be a configuration that fits it.

    Args:
        settings: where everything is.
        configuration: of the preset, changed.
        searched: `key=low:high[:log]` or `key=a|b|c`.
        trials: how many, the preset among them.
        kimg: length of each; None: the configuration's own.

    Raises:
        ConfigError: a key, a range or a value is wrong, or the trials are too short for their rungs.
        DatasetError: there is no dataset.
        WeightsError: the discriminator needs features that are not installed.
    """
    if configuration.config.network.architecture == "projected":
        find_features()
    config = budgeted(configuration, kimg)
    fixed = [change.partition("=")[0].strip() for change in configuration.changes]
    space = search_space(config.config, fixed, searched)
    drawn = draw_trials(config.config, space, trials)
    dataset = current_dataset(settings)
    headers = tuple(checkpoint_header(config.changed(*changes).config, dataset.info, dataset.md5) for changes in drawn)
    return TuningPlan(configuration, config.config, dataset, space, drawn, headers)


def budgeted(configuration: Configuration, kimg: float | None) -> Configuration:
    """Return it at the length of a trial, with a score at each of its marks.

    Raises:
        ConfigError: a mark would be less than a batch.
    """
    train = configuration.config.train
    total = train.total_kimg if kimg is None else kimg
    if total * 1000 < MARKS * train.batch_size:
        raise ConfigError(
            f"--kimg {total:g} is too short for {MARKS} marks of a batch each, train.batch_size = {train.batch_size}: "
            f"give {MARKS * train.batch_size / 1000:g} or more"
        )
    changes = [f"train.total_kimg={total}", f"train.checkpoint_kimg={total / MARKS}"]
    if not configuration.config.evaluation.watch_images:
        changes.append(f"evaluation.watch_images={min(WATCH_IMAGES, configuration.config.evaluation.num_images)}")
    return configuration.changed(*changes)


def rungs(kimg: float) -> list[float]:
    """Return the lengths at which trials are compared, the whole last."""
    found = [kimg]
    while found[0] / HALVING >= kimg / MARKS:
        found.insert(0, found[0] / HALVING)
    return found
