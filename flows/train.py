"""The flow `train`: a generator from the current dataset, in a run of its own or one that was cut short."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.parameters import Minutes, Workers
from flows.resume_hint import command_line
from flows.services.discovery import up_state
from gan.configuration.provenance import Configuration
from gan.errors import BudgetSpentError
from tasks.reports import artifacts
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import hurry, said_if_stopped
from tasks.tracking.client import TRAINING, RunLog, create_run, end_abandoned_runs, ending, reopen_run
from tasks.tracking.inputs import log_dataset
from tasks.train.budget import Paused, deadline
from tasks.train.code import CODE, RESUMED_CODE, code_tags
from tasks.train.lease import training_lease
from tasks.train.plan import TrainingPlan, plan_training
from tasks.train.resources import WorkerRange
from tasks.train.resume import require_unfinished
from tasks.train.step import Trained, train_generator
from tasks.train.warm_start import store_warm_start


@flow(name="train")
def train(
    configuration: Configuration,
    workers: Workers = 1,
    resume: str | None = None,
    warm_start: str | None = None,
    max_minutes: Minutes = None,
) -> Trained | Paused:
    """Train a generator on the current dataset; the checkpoint lies in an MLflow run of `ganflow-training`.

    Args:
        configuration: of the run.
        workers: Ray Train workers: a number, or a range such as `2:4`.
        resume: id of an unfinished run to go on with; `auto`: the newest one of this recipe, or else a new run.
        warm_start: alias or version of the registered model whose networks training begins with.
        max_minutes: after so many it leaves a checkpoint and pauses; with `resume` it goes on from there.
    """
    settings, config, until = Settings(), configuration.config, deadline(max_minutes)
    number = WorkerRange.parse(workers)
    require_writable_home(settings)
    end_abandoned_runs(settings)
    plan = plan_training(settings, config, resume=resume, warm_start=warm_start)
    for note in plan.notes:
        get_run_logger().info(note)
    again = command_line("train", configuration=configuration, workers=workers, warm_start=warm_start, resume="auto")
    with (
        said_if_stopped(f"{again} goes on from the last checkpoint"),
        suppress(BudgetSpentError),
        opened_run(settings, plan, number) as log,
    ):
        if state := up_state(settings):
            experiment = log.client.get_run(log.run_id).info.experiment_id
            url = f"{state.mlflow_url}/#/experiments/{experiment}/runs/{log.run_id}"
            artifacts.link("mlflow-run", url, f"MLflow run {log.run_id}")
        result = train_generator(log.run_id, config, plan.header, number, until)
        if isinstance(result, Paused):
            get_run_logger().info(result.paused)
            raise result.error()
    return result


@contextmanager
def opened_run(settings: Settings, plan: TrainingPlan, workers: WorkerRange) -> Iterator[RunLog]:
    """Open the MLflow run of a training, which no other process can take up until it has ended."""
    taken_over, warn = _stops(get_run_logger().error), get_run_logger().warning
    here = {"prefect_flow_run": str(flow_run.get_id() or ""), "workers": str(workers)}
    if plan.resumed:
        run_id = plan.resumed.run_id
        with training_lease(settings, run_id, taken_over, warn):
            require_unfinished(settings, run_id)  # it was looked at before it was held
            with ending(reopen_run(settings, run_id)) as log:
                log.tags(here | {"resumed_at": str(plan.resumed.cur_nimg), RESUMED_CODE: code_tags()[CODE]})
                log.config(plan.config)  # what does not shape a training may be another than it began with
                yield log
        return
    name = f"{plan.config.preset}-{plan.config.train.total_kimg:g}kimg"
    log = create_run(settings, TRAINING, name, here | code_tags() | plan.tags)
    with training_lease(settings, log.run_id, taken_over, warn), ending(log):
        log.params(plan.config)
        log.text(plan.dataset.pointer, "data.dvc")
        log_dataset(log, plan.dataset.md5, "train", "training")
        if plan.warm_start:
            store_warm_start(settings, plan.warm_start, log.run_id)
        yield log


def _stops(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return what says a sentence and has this process stop as if it had been asked to."""

    def stop(sentence: str) -> None:
        hurry()  # a last checkpoint would be written into what another process trains
        say(f"{sentence}: this training ends, and leaves it to that one")
        os.kill(os.getpid(), signal.SIGTERM)

    return stop
