"""The flow `register`: a trained generator becomes a version, and champion if it is the better one."""

from collections.abc import Callable
from typing import TypeVar

from prefect import flow, get_run_logger
from pydantic import BaseModel, ConfigDict

from flows.resume_hint import command_line
from gan.configuration.provenance import Configuration
from gan.evaluation.gate import Decision, decide
from gan.metrics.evaluation import Evaluation
from tasks.dataset.current import load_version
from tasks.evaluate.extraction import resolve_precision
from tasks.evaluate.record import Measured, difference
from tasks.evaluate.step import evaluate_generator
from tasks.evaluate.subjects import find_subject
from tasks.lineage.artifact import show_lineage
from tasks.register.step import promote_or_keep, register_generator
from tasks.runtime.patience import patiently
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import said_if_stopped
from tasks.tracking.registry import champion, draws_the_same_classes, one_decision_at_a_time
from tasks.tracking.runs import run_dataset

Reply = TypeVar("Reply")


class Registered(BaseModel):
    """What `register` did with a candidate."""

    model_config = ConfigDict(frozen=True)

    version: int
    alias: str
    verdict: Decision
    evaluation: Evaluation
    report: str


@flow(name="register")
def register(run_id: str, configuration: Configuration) -> Registered:
    """Evaluate a training run on its own dataset, register it, and let it compete with the champion there.

    Args:
        run_id: the training run, as `train` returns it.
        configuration: its section `evaluation` says how.
    """
    settings = Settings()
    require_writable_home(settings)
    again = command_line("register", run_id, configuration=configuration)
    with said_if_stopped(f"the training is finished, and {again} measures and registers it"):
        return _register(settings, run_id, configuration)


def _register(settings: Settings, run_id: str, configuration: Configuration) -> Registered:
    dataset_md5 = _asked(lambda: run_dataset(settings, run_id))
    load_version(settings.data_dir, settings.resident_dir, dataset_md5)
    # once, for candidate and champion: their protocols must be one
    configuration = configuration.measuring(resolve_precision(settings, configuration.config.evaluation))
    candidate = evaluate_generator(_asked(lambda: find_subject(settings, run_id)), configuration, dataset_md5)
    # Two candidates at once would both be compared with the champion of before.
    with one_decision_at_a_time(settings):
        # Before registering: a candidate whose rival cannot be measured is no version yet, and can be tried again.
        verdict = _judged(settings, run_id, candidate, configuration, dataset_md5)
        version = register_generator(run_id, candidate, configuration)
        alias = promote_or_keep(version, verdict)
    show_lineage(settings, f"version/{version}")
    return Registered(
        version=version, alias=alias, verdict=verdict, evaluation=candidate.evaluation, report=candidate.report
    )


def _judged(
    settings: Settings, run_id: str, candidate: Measured, configuration: Configuration, dataset_md5: str
) -> Decision:
    """Hold a candidate against the champion, which is measured on the candidate's dataset for that."""
    gate, rival = configuration.config.gate, _asked(lambda: champion(settings))
    if rival is None:
        return decide(candidate.evaluation, None, gate=gate)
    if rival.run_id == run_id:
        metric = decide(candidate.evaluation, None, gate=gate).metric
        reason = f"version {rival.version} is this very candidate and champion already"
        return Decision(promote=True, metric=metric, reason=reason)
    if not _asked(lambda: draws_the_same_classes(settings, rival, run_id)):
        others = f"the champion, version {rival.version}, draws other classes than the dataset has now"
        return decide(candidate.evaluation, None, gate=gate, unrivalled=others)
    theirs = evaluate_generator(find_subject(settings, str(rival.version)), configuration, dataset_md5)
    told_apart = _asked(lambda: difference(settings, candidate, theirs))
    return decide(candidate.evaluation, theirs.evaluation, told_apart, gate)


def _asked(question: Callable[[], Reply]) -> Reply:
    # after hours of training, no moment without MLflow shall lose the candidate
    return patiently(question, "asking MLflow", get_run_logger().warning)
