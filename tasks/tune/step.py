"""The steps of `tune`: trials in runs of MLflow, and the winner held against the preset."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from gan.errors import GanflowError
from tasks.dataset.publishing import publish_version
from tasks.reports import artifacts
from tasks.runtime.progress import progress
from tasks.runtime.retry import step
from tasks.runtime.scratch import scratch_folder
from tasks.runtime.settings import Settings
from tasks.tracking.client import RunLog, client
from tasks.tracking.runs import run_artifact
from tasks.tune.judge import judge
from tasks.tune.outcome import Tuned, candidate_of, outcome_of
from tasks.tune.page import trial_rows, tuning_html
from tasks.tune.plan import TuningPlan
from tasks.tune.runs import CHECKPOINT, TrialRecord, begin_trial, end_trial, finished_trials
from tasks.tune.search import INCUMBENT, run_trials
from tasks.tune.trial import Mark

if TYPE_CHECKING:
    from tasks.runtime.progress import Reporter
    from tasks.train.validator import OpenScore

WINNER, PAGE = "winner.json", "report.html"


class TrialsInMLflow:
    """Takes what Ray Tune tells of trials, and writes it to a run for each.

    Args:
        settings: where MLflow is.
        plan: the search.
        parent: its run.
        reporter: shows how far it is.
    """

    def __init__(self, settings: Settings, plan: TuningPlan, parent: str, reporter: "Reporter") -> None:
        self.settings, self.plan, self.parent, self.reporter = settings, plan, parent, reporter
        self.records = finished_trials(settings, plan, parent)
        self.known = {number: record.marks for number, record in self.records.items()}
        self._logs: dict[int, RunLog] = {}
        self._marks: dict[int, list[Mark]] = {}
        self._logger = get_run_logger()

    def begin(self, number: int) -> None:
        """Begin the run of a trial that is trained; one that is known has its own."""
        if number not in self.known:
            self._logs[number] = begin_trial(self.settings, self.plan, number, self.parent)
            self._marks[number] = []

    def mark(self, number: int, mark: Mark) -> None:
        """Take a score."""
        if number in self.known:
            return
        self._marks[number].append(mark)
        values = {"kid": mark.kid, "kid_low": mark.low, "kid_high": mark.high}
        found = {key: value for key, value in values.items() if value is not None}
        self._logs[number].metrics(found, step=round(mark.kimg * 1000))
        self.reporter(self._done, f"trial {number}: kid {mark.kid:.4f} at {mark.kimg:g} kimg")

    def end(self, number: int, facts: Mapping[str, Any]) -> None:
        """Take the end of a trial, of its own or by Ray Tune."""
        if number in self.known:
            return
        failure = facts.get("failure", "")
        record = TrialRecord(
            number=number,
            changes=self.plan.trials[number],
            run_id=self._logs[number].run_id,
            marks=tuple(self._marks[number]),
            outcome="failed" if failure else "finished" if "checkpoint" in facts else "stopped",
            kid=facts.get("best"),
            reason=failure,
        )
        checkpoint = facts.get("checkpoint")
        end_trial(self._logs[number], record, None if checkpoint is None else Path(checkpoint))
        self.records[number] = record
        what = {"finished": "came to its end", "stopped": "was stopped early", "failed": f"failed ({failure})"}
        best = f", lowest kid {record.best.kid:.4f}" if record.best else ""
        with_what = ", ".join(record.changes) or "the preset itself"
        self._logger.info("trial %s (%s) %s at %g kimg%s", number, with_what, what[record.outcome], record.kimg, best)

    def abandon(self) -> None:
        """End the runs of trials that were cut short, so that they are trained anew."""
        for number, log in self._logs.items():
            if number not in self.records:
                log.client.set_terminated(log.run_id, "KILLED")

    @property
    def _done(self) -> int:
        kimg = sum(record.kimg for record in self.records.values())
        kimg += sum(marks[-1].kimg for number, marks in self._marks.items() if marks and number not in self.records)
        return round(kimg * 1000)


@step(cache_policy=NO_CACHE)
def search_trials(
    plan: TuningPlan, run_id: str, at_once: int | None, open_score: "OpenScore | None" = None
) -> list[TrialRecord]:
    """Train the trials on Ray Tune. Buys a retry, which trains those alone that did not come to their end.

    Raises:
        GanflowError: the preset's own training failed: there is nothing to hold a winner against.
    """
    settings, logger = Settings(), get_run_logger()
    if settings.on_cluster:
        publish_version(settings, plan.dataset.md5, logger)
    total = len(plan.trials) * plan.config.train.total_images
    with progress("tuning", total, logger) as reporter, scratch_folder(settings, "tuning") as folder:
        trials = TrialsInMLflow(settings, plan, run_id, reporter)
        if trials.known:
            logger.info("%s of %s trials were done before: they are not trained again", *_counts(trials, plan))
        place = (
            settings if settings.on_cluster else settings.model_copy(update={"ganflow_storage": str(folder / "runs")})
        )
        try:
            run_trials(
                place,
                plan.headers,
                kimg=plan.kimg,
                names=[f"tuning-{run_id}-{folder.name}-{number}" for number in range(len(plan.trials))],
                at_once=at_once,
                folder=folder,
                known=trials.known,
                on_begin=trials.begin,
                on_mark=trials.mark,
                on_end=trials.end,
                on_warning=logger.warning,
                open_score=open_score,
            )
        finally:
            trials.abandon()
    preset = trials.records.get(INCUMBENT)
    if preset is None or preset.outcome != "finished":
        why = preset.reason if preset else "it never began"
        raise GanflowError(f"the training of the preset itself failed ({why}): there is nothing to compare trials with")
    return [record for _, record in sorted(trials.records.items())]


def _counts(trials: TrialsInMLflow, plan: TuningPlan) -> tuple[int, int]:
    return len(trials.known), len(plan.trials)


@step(cache_policy=NO_CACHE)
def judge_winner(plan: TuningPlan, run_id: str, trials: list[TrialRecord]) -> Tuned:
    """Hold the winner against the preset on fresh seeds, and keep the outcome. Buys a retry, a table and a page."""
    settings, logger = Settings(), get_run_logger()
    judged = None
    if candidate := candidate_of(trials):
        evaluation = plan.configuration.config.evaluation
        winner, preset = (run_artifact(settings, each.run_id, CHECKPOINT) for each in (candidate, trials[INCUMBENT]))
        with progress("comparing with the preset", 0, logger) as reporter:
            judged = judge(
                settings, evaluation, plan.dataset.md5, plan.headers[0].class_names, winner, preset, reporter
            )
    tuned = outcome_of(plan.configuration, run_id, plan.kimg, plan.dataset.md5, trials, judged)
    log = RunLog(client(settings), run_id)
    log.text(tuned.model_dump_json(indent=2) + "\n", WINNER)
    log.text(tuning_html(tuned), PAGE)
    log.tags({"verdict": tuned.verdict, "winner": tuned.command})
    artifacts.table("tuning", trial_rows(tuned), f"{tuned.verdict}: {tuned.command}")
    return tuned
