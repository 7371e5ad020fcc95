"""Wrong input is refused before any server is started: configuration, home, MLflow's address, run, dataset, plan."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.configure import resolve_config
from flows.console import prepare, say
from gan.data.sources.spec import SourceSpec
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.training_plan import TrainingPlan


def begin(preset: str, overrides: Sequence[str], *, run_id: str | None = None) -> Settings:
    """Refuse a wrong configuration, home, address of MLflow, or run; returns the settings."""
    resolve_config(preset, overrides)
    settings = prepare()
    from tasks.past_runs import run_tags
    from tasks.tracking import client

    client(settings)
    if run_id is not None:
        run_tags(settings, run_id)
    return settings


def begin_with_source(source: SourceSpec) -> None:
    """As `begin`, for verbs that read a source; they have checked the part of the configuration that they need."""
    source.require()
    settings = prepare()
    from tasks.tracking import client

    client(settings)


def begin_with_data(preset: str, overrides: Sequence[str], *, run_id: str | None = None) -> Settings:
    """As `begin`, for verbs that need a dataset."""
    settings = begin(preset, overrides, run_id=run_id)
    from tasks.dvc_repo import require_version

    require_version(settings)
    return settings


def plan(
    preset: str, overrides: Sequence[str], *, resume: str | None = None, warm_start: str | None = None
) -> "TrainingPlan":
    """As `begin_with_data`, for verbs that train: refuse what does not fit the dataset, a run or a model."""
    settings = begin_with_data(preset, overrides)
    from tasks.training_plan import plan_training

    planned = plan_training(settings, resolve_config(preset, overrides), resume=resume, warm_start=warm_start)
    for note in planned.notes:
        say(note)
    return planned
