"""The flow `register`: a trained generator becomes a version, and champion if it is the better one."""

from collections.abc import Sequence

from prefect import flow
from pydantic import BaseModel, ConfigDict

from flows.configure import resolve_config
from gan.metrics.evaluation import Decision, Evaluation, decide
from tasks.dataset import current_dataset
from tasks.registry import champion
from tasks.settings import Settings
from tasks.steps.evaluate import evaluate_generator
from tasks.steps.register import promote_or_keep, register_generator
from tasks.tracking import run_tags


class Registered(BaseModel):
    """What `register` did with a candidate."""

    model_config = ConfigDict(frozen=True)

    version: int
    alias: str
    verdict: Decision
    evaluation: Evaluation


@flow(name="register")
def register(run_id: str, preset: str = "digits", overrides: Sequence[str] = ()) -> Registered:
    """Evaluate a training run, register it, and compare it with the champion under the same protocol.

    Args:
        run_id: the training run, as `train` returns it.
        preset: name of the configuration whose section `evaluation` says how.
        overrides: `section.key=value` changes of it.
    """
    settings, config = Settings(), resolve_config(preset, overrides)
    dataset_md5 = current_dataset(settings).md5
    run_tags(settings, run_id)
    candidate = evaluate_generator(run_id, None, config, dataset_md5)
    # Before registering: a candidate whose rival cannot be measured is no version yet, and can be tried again.
    rival = champion(settings)
    measured = evaluate_generator(rival.run_id, rival.version, config, dataset_md5) if rival else None
    verdict = decide(candidate, measured)
    version = register_generator(run_id, candidate)
    alias = promote_or_keep(version, verdict)
    return Registered(version=version, alias=alias, verdict=verdict, evaluation=candidate)
