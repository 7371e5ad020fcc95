"""What another feature network than Inception said of a candidate and of the champion, where somebody asked it."""

import contextlib
from collections.abc import Iterator

from gan.errors import InputError
from gan.metrics.evaluation import Evaluation
from tasks.evaluate.record import RECORD
from tasks.runtime.settings import Settings
from tasks.tracking.client import EVALUATIONS, client, experiment_id
from tasks.tracking.runs import run_artifact

KERNEL_DISTANCE = "kd_"
_LOOKED_AT = 20


def second_opinion(settings: Settings, candidate: str, champion: str) -> tuple[Evaluation, Evaluation] | None:
    """Return the newest evaluations of two training runs by one other network under one protocol; None: there are none.

    `ganflow evaluate … --network FILE` makes them.

    Args:
        settings: where evaluations are kept.
        candidate: id of its training run.
        champion: likewise.

    Raises:
        ServiceError: MLflow does not answer.
    """
    theirs = list(_by_others(settings, champion))
    for ours in _by_others(settings, candidate) if theirs else ():
        for rival in theirs:
            if ours.protocol == rival.protocol:
                return ours, rival
    return None


def _by_others(settings: Settings, training_run: str) -> Iterator[Evaluation]:
    registry = client(settings)
    kept = registry.search_runs(
        [experiment_id(registry, settings, EVALUATIONS)],
        f"tags.`training run` = '{training_run}' and attributes.status = 'FINISHED'",
        max_results=_LOOKED_AT,
        order_by=["attributes.start_time DESC"],
    )
    for one in kept:
        if any(key.startswith(KERNEL_DISTANCE) for key in one.data.metrics):
            with contextlib.suppress(InputError):  # a file that is gone, or that is no such record
                yield Evaluation.from_json(run_artifact(settings, one.info.run_id, RECORD))
