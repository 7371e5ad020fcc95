"""Wrong input is refused before any server is started: home, MLflow's address, source, dataset, plan.

The configuration comes before all of them, so that a wrong one leaves nothing: `flows.configure`.
"""

from typing import TYPE_CHECKING

from flows.command.console import prepare, say
from gan.configuration.provenance import Configuration
from gan.data.sources.spec import SourceSpec
from tasks.runtime.settings import Settings

if TYPE_CHECKING:
    from tasks.train.plan import TrainingPlan


def begin() -> Settings:
    """Refuse a wrong home or address of MLflow; returns the settings."""
    settings = prepare()
    from tasks.tracking.client import client

    client(settings)
    return settings


def begin_with_source(source: SourceSpec) -> None:
    """As `begin`, for verbs that read a source."""
    source.require()
    begin()


def begin_with_data() -> Settings:
    """As `begin`, for verbs that need a dataset."""
    settings = begin()
    from tasks.dataset.repository import require_version

    require_version(settings)
    return settings


def plan(configuration: Configuration, *, resume: str | None = None, warm_start: str | None = None) -> "TrainingPlan":
    """As `begin_with_data`, for verbs that train: refuse what does not fit the dataset, a run or a model."""
    settings = begin_with_data()
    from tasks.train.plan import plan_training

    planned = plan_training(settings, configuration.config, resume=resume, warm_start=warm_start)
    for note in planned.notes:
        say(note)
    return planned
