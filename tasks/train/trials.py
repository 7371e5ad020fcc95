"""Several trainings that differ by their seed: which of them goes to the gate."""

from collections.abc import Sequence

from gan.configuration.config import Config
from gan.errors import InputError
from tasks.runtime.settings import Settings
from tasks.tracking.client import RunLog, client
from tasks.train.earlier import CHOSEN, VERDICT, Candidate


def require_comparable(config: Config, trials: int) -> None:
    """Refuse several trials of which none could be told to be the best.

    Raises:
        InputError: there is no KID beside training.
    """
    if trials > 1 and config.evaluation.watch_images == 0:
        raise InputError(
            f"{trials} trials cannot be told apart with evaluation.watch_images=0, for it is the KID beside training "
            "that tells: set evaluation.watch_images, or ask for one trial"
        )


def choose(settings: Settings, candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate of the lowest KID, the first of equal ones, and note at the others why they were not chosen.

    It is noted at the best one first: whoever is killed amid this goes on with it. Where none has a KID, the others
    go on waiting.

    Args:
        settings: where the runs are.
        candidates: one or more trainings of one recipe and dataset.

    Raises:
        ServiceError: no MLflow server answers.
    """
    best = min(candidates, key=lambda each: float("inf") if each.kid is None else each.kid)
    if best.kid is not None and len(candidates) > 1:
        opened = client(settings)
        RunLog(opened, best.run_id).tags({CHOSEN: f"of {len(candidates)}"})
        for other in candidates:
            if other is not best:
                why = f"not chosen: {_figure(other)} beside training, run {best.run_id} has {_figure(best)}"
                RunLog(opened, other.run_id).tags({VERDICT: why})
    return best


def _figure(candidate: Candidate) -> str:
    return "no KID" if candidate.kid is None else f"a KID of {candidate.kid:.6g}"
