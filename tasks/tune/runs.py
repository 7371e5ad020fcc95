"""A search in MLflow: a run with a run below it for each trial, apart from trainings, and what a kill left of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gan.errors import InputError
from tasks.runtime.process_name import ProcessName
from tasks.runtime.settings import Settings
from tasks.tracking.client import PROCESS, TUNING, RunLog, client, create_run, ending, experiment_id, reopen_run
from tasks.tracking.inputs import log_dataset
from tasks.tracking.runs import run_artifact
from tasks.train.code import code_tags
from tasks.tune.plan import TuningPlan
from tasks.tune.trial import Mark

PARENT = "mlflow.parentRunId"
SEARCH = "tuning"
"""The tag by which a search is found again; it has no `recipe` and no `training_hash`, and so is no training."""
RECORD = "trial.json"
CHECKPOINT = "checkpoint"


class TrialRecord(BaseModel):
    """What became of a trial.

    Attributes:
        number: 0 is the preset itself.
        changes: `section.key=value`, of the preset.
        run_id: its run in MLflow.
        marks: scores of its checkpoints, in the order of the training.
        outcome: whether it came to its end, was stopped early, or failed.
        kid: of its best checkpoint; None unless it came to its end.
        reason: why it failed.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    changes: tuple[str, ...]
    run_id: str
    marks: tuple[Mark, ...] = ()
    outcome: Literal["finished", "stopped", "failed"]
    kid: float | None = None
    reason: str = ""

    @property
    def kimg(self) -> float:
        """How far its scores go."""
        return self.marks[-1].kimg if self.marks else 0.0

    @property
    def best(self) -> Mark | None:
        """The mark of lowest KID."""
        return min(self.marks, key=lambda mark: mark.kid, default=None)


@contextmanager
def opened_search(settings: Settings, plan: TuningPlan) -> Iterator[RunLog]:
    """Open the run of a search: that of the same one which was cut short, or a new one."""
    if run_id := unfinished_search(settings, plan):
        with ending(reopen_run(settings, run_id)) as log:
            yield log
        return
    name = f"{plan.config.preset}-{len(plan.trials)}x{plan.kimg:g}kimg"
    tags = code_tags() | {SEARCH: plan.key, "preset": plan.config.preset}
    with ending(create_run(settings, TUNING, name, tags)) as log:
        log.params(plan.config)
        log.text("\n".join(map(str, plan.space)) + "\n", "space.txt")
        log_dataset(log, plan.dataset.md5, "train", "training")
        yield log


def unfinished_search(settings: Settings, plan: TuningPlan) -> str | None:
    """Return the run of the same search that did not come to its end and that no living process has."""
    mlflow_client = client(settings)
    found = mlflow_client.search_runs(
        [experiment_id(mlflow_client, settings, TUNING)],
        f"tags.{SEARCH} = '{plan.key}' and attributes.status != 'FINISHED'",
        order_by=["attributes.start_time DESC"],
    )
    for run in found:
        process = ProcessName.parse(run.data.tags.get(PROCESS, ""))
        if run.info.status != "RUNNING" or process is None or process.is_dead:
            return str(run.info.run_id)
    return None


def finished_trials(settings: Settings, plan: TuningPlan, run_id: str) -> dict[int, TrialRecord]:
    """Read the trials below a run that came to their end or were stopped early, by number; others are trained anew."""
    mlflow_client = client(settings)
    found = mlflow_client.search_runs(
        [experiment_id(mlflow_client, settings, TUNING)],
        f"tags.`{PARENT}` = '{run_id}' and attributes.status = 'FINISHED'",
    )
    known = {}
    for run in found:
        try:
            text = run_artifact(settings, run.info.run_id, RECORD).read_text("utf-8")
            record = TrialRecord.model_validate_json(text)
        except (InputError, ValidationError, OSError):  # cut short, or another's
            continue
        if record.marks and 0 <= record.number < len(plan.trials) and record.changes == plan.trials[record.number]:
            known[record.number] = record
    return known


def begin_trial(settings: Settings, plan: TuningPlan, number: int, parent: str) -> RunLog:
    """Begin the run of a trial."""
    name = "preset" if number == 0 else f"trial-{number}"
    log = create_run(settings, TUNING, name, {PARENT: parent, "preset": plan.config.preset, "trial": str(number)})
    log.params(plan.configuration.changed(*plan.trials[number]).config)
    return log


def end_trial(log: RunLog, record: TrialRecord, checkpoint: Path | None) -> None:
    """Keep what became of a trial, and end its run."""
    if checkpoint is not None:
        log.folder(checkpoint, CHECKPOINT)
    log.text(record.model_dump_json(indent=2) + "\n", RECORD)
    log.tags({"outcome": record.outcome})
    log.client.set_terminated(log.run_id, "FAILED" if record.outcome == "failed" else "FINISHED")
