"""`ganflow train` and `ganflow retrain`."""

import typer

from flows.command.console import Answer, read_settings, say
from flows.command.options import (
    DryRun,
    Json,
    MaxMinutes,
    Overrides,
    Preset,
    Resume,
    SkipUnchanged,
    Trials,
    WarmStart,
    Workers,
)


def train(
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    workers: Workers = "1",
    resume: Resume = None,
    warm_start: WarmStart = None,
    max_minutes: MaxMinutes = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Train a generator on the current dataset; its checkpoint goes to an MLflow run.

    With --resume auto a training that was killed, or whose --max-minutes were over, goes on in its own run, and none
    is lost: it may be called again and again. Exit status 75 says that its time was over before its end.
    """
    answer = Answer()
    from flows.command.preflight import plan
    from flows.configure import resolve_config

    configuration = resolve_config(preset, overrides)
    planned = plan(configuration, resume=resume, warm_start=warm_start)
    if dry_run:
        from flows.command.forecast_lines import forecast_lines
        from tasks.train.forecast import forecast
        from tasks.train.resources import WorkerRange

        figures = forecast(read_settings(), planned, WorkerRange.parse(workers).most)
        answer.give(figures, forecast_lines(figures), as_json)
        return
    from flows.services.temporary_server import starting_prefect
    from tasks.runtime.ray_cluster import start_ray_ahead

    with starting_prefect():
        from flows.command.summary import training_lines
        from flows.train import train as flow

        start_ray_ahead(read_settings(), say)
    result = flow(configuration, workers, resume, warm_start, max_minutes)
    answer.give(result, training_lines(result), as_json)
    _end(result)


def retrain(
    preset: Preset = "digits",
    overrides: Overrides = [],  # noqa: B006
    workers: Workers = "1",
    warm_start: WarmStart = None,
    skip_unchanged: SkipUnchanged = False,
    trials: Trials = 1,
    max_minutes: MaxMinutes = None,
    as_json: Json = False,
) -> None:
    """Train, measure and register in one: what schedules and new data start.

    A training of these settings, data and code that is finished and was never decided about is registered in place of
    a new one.
    """
    answer = Answer()
    from flows.command.preflight import plan
    from flows.configure import resolve_config
    from tasks.train.trials import require_comparable

    configuration = resolve_config(preset, overrides)
    require_comparable(configuration.config, trials)
    plan(configuration, warm_start=warm_start)
    from flows.services.temporary_server import starting_prefect
    from tasks.runtime.ray_cluster import start_ray_ahead

    with starting_prefect():
        from flows.command.summary import retraining_lines
        from flows.retrain import retrain_configured as flow

        start_ray_ahead(read_settings(), say)
    result = flow(configuration, None, workers, warm_start, skip_unchanged, trials, max_minutes)
    answer.give(result, retraining_lines(result), as_json)
    _end(result)


def _end(result: object) -> None:
    """End with the status for «try again» where the time was over before the training's end."""
    from gan.errors import BudgetSpentError
    from tasks.train.budget import Paused

    if isinstance(result, Paused):
        raise typer.Exit(BudgetSpentError.exit_status)
