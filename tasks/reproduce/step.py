"""The end of a reproduction: what came of it, told and kept."""

from prefect.cache_policies import NO_CACHE

from gan.training.checkpoint import load_header
from tasks.evaluate.record import Measured
from tasks.reproduce.compare import Reproduced, compare_machines, compare_scores, compare_weights
from tasks.reproduce.plan import Reproduction
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings
from tasks.tracking.client import RunLog, client
from tasks.tracking.runs import run_artifact

RECORD = "reproduction.json"


@step(cache_policy=NO_CACHE)
def compare_reproduction(plan: Reproduction, run_id: str, measured: Measured) -> Reproduced:
    """Hold a run against the version that it was to give again, and keep that beside it. Buys a retry."""
    settings = Settings()
    then, now = (run_artifact(settings, each, "checkpoint") for each in (plan.run_id, run_id))
    weights = compare_weights(then, now)
    scores, differing_scores = compare_scores(plan.evaluation, measured.evaluation)
    found = Reproduced(
        version=plan.version,
        run_id=plan.run_id,
        reproduction=run_id,
        equal=weights.equal and bool(scores) and not differing_scores,
        weights=weights,
        scores=scores,
        differs=(*plan.notes, *compare_machines(plan.recorded, load_header(now)), *differing_scores),
    )
    log = RunLog(client(settings), run_id)
    log.tags({"evaluation_run": measured.evaluation_run, "reproduced": "equal" if found.equal else "different"})
    log.text(found.model_dump_json(indent=2) + "\n", RECORD)
    return found
