"""The flow `register`: a trained generator becomes a version, and champion if it is the better one."""

from collections.abc import Callable
from typing import TypeVar

from prefect import flow, get_run_logger
from pydantic import BaseModel, ConfigDict

from flows.resume_hint import command_line
from gan.configuration.provenance import Configuration
from gan.evaluation.gate import Decision, decide
from gan.evaluation.reason import Reason
from gan.metrics.evaluation import Evaluation
from tasks.champion.changing import champion, one_decision_at_a_time
from tasks.champion.step import new_intent
from tasks.dataset.current import load_version
from tasks.evaluate.extraction import resolve_precision
from tasks.evaluate.record import Measured, difference
from tasks.evaluate.second_opinion import second_opinion
from tasks.evaluate.step import evaluate_generator
from tasks.evaluate.subjects import find_subject
from tasks.lineage.artifact import show_lineage
from tasks.register.step import look_at_program, promote_or_keep, register_generator
from tasks.runtime.patience import patiently
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import said_if_stopped
from tasks.tracking.comparable import why_not_comparable
from tasks.tracking.runs import run_dataset
from tasks.tracking.versions import RegisteredModel

Reply = TypeVar("Reply")


class Registered(BaseModel):
    """What `register` did with a candidate; `before` is the champion that it was compared with, if there was one."""

    model_config = ConfigDict(frozen=True)

    version: int
    alias: str
    before: int | None
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
    intent = new_intent()
    # Two candidates of this home at once would both be compared with the champion of before; one of another home, which
    # the history tells of, has this one compared again.
    with one_decision_at_a_time(settings):
        # Before registering: a candidate whose rival cannot be measured is no version yet, and can be tried again.
        rival, verdict = _judged(settings, run_id, candidate, configuration, dataset_md5)
        version = register_generator(run_id, candidate, configuration)
        looked = look_at_program(version, run_id, configuration.config.gate)
        while (alias := promote_or_keep(version, verdict.also(looked), _number(rival), intent)) is None:
            rival, verdict = _judged(settings, run_id, candidate, configuration, dataset_md5)
    show_lineage(settings, f"version/{version}")
    return Registered(
        version=version,
        alias=alias,
        before=_number(rival),
        verdict=verdict.also(looked),
        evaluation=candidate.evaluation,
        report=candidate.report,
    )


def _judged(
    settings: Settings, run_id: str, candidate: Measured, configuration: Configuration, dataset_md5: str
) -> tuple[RegisteredModel | None, Decision]:
    """Hold a candidate against the champion, which is measured on the candidate's dataset for that."""
    gate, rival = configuration.config.gate, _asked(lambda: champion(settings))
    if rival is None:
        return None, decide(candidate.evaluation, None, gate=gate)
    if rival.run_id == run_id:
        metric = decide(candidate.evaluation, None, gate=gate).metric
        again = f"version {rival.version} is this very candidate and champion already"
        return rival, Decision.of(metric, [Reason(check="champion", passed=True, said=again)])
    if differs := _asked(lambda: why_not_comparable(settings, rival, run_id)):
        others = f"the champion, version {rival.version}, {differs}"
        return rival, decide(candidate.evaluation, None, gate=gate, unrivalled=others, in_use=True)
    theirs = evaluate_generator(find_subject(settings, str(rival.version)), configuration, dataset_md5)
    told_apart = _asked(lambda: difference(settings, candidate, theirs))
    verdict = decide(candidate.evaluation, theirs.evaluation, told_apart, gate)
    opinion = _asked(lambda: second_opinion(settings, run_id, rival.run_id))
    return rival, verdict.with_opinion(*opinion) if opinion else verdict


def _number(model: RegisteredModel | None) -> int | None:
    return model.version if model else None


def _asked(question: Callable[[], Reply]) -> Reply:
    # after hours of training, no moment without MLflow shall lose the candidate
    return patiently(question, "asking MLflow", get_run_logger().warning)
