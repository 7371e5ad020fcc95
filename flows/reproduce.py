"""The flow `reproduce`: a registered version trained once more, and held against what came of it then."""

from prefect import flow, get_run_logger

from flows.parameters import Plain
from flows.train import opened_run
from tasks.evaluate.step import evaluate_generator
from tasks.evaluate.subjects import find_subject
from tasks.reproduce.compare import Reproduced
from tasks.reproduce.plan import plan_reproduction
from tasks.reproduce.step import compare_reproduction
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import said_if_stopped
from tasks.tracking.client import end_abandoned_runs
from tasks.train.step import train_generator


@flow(name="reproduce")
def reproduce(version: Plain) -> Reproduced:
    """Train a version again from what is on record, evaluate it under the protocol of then, and compare.

    The run is no candidate, no other training goes on with it, and its seed is not used up by it.

    Args:
        version: a number or an alias of the registered model.
    """
    settings = Settings()
    require_writable_home(settings)
    end_abandoned_runs(settings)
    plan = plan_reproduction(settings, version)
    for note in plan.notes:
        get_run_logger().info(note)
    with said_if_stopped("nothing was compared, and the same command begins anew"):
        with opened_run(settings, plan, plan.workers) as log:
            train_generator(log.run_id, plan.config, plan.header, plan.workers)
        measured = evaluate_generator(find_subject(settings, log.run_id), plan.measuring, plan.dataset.md5)
        return compare_reproduction(plan, log.run_id, measured)
