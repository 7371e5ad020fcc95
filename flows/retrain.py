"""The flow `retrain`: train, evaluate, register; what schedules and new data start."""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect import State, flow, get_run_logger
from prefect.states import Completed
from pydantic import BaseModel, ConfigDict

from flows.configure import resolve_config
from flows.parameters import Minutes, Overrides, Trials, Workers
from flows.register import Registered, register
from flows.train import train
from gan.configuration.provenance import Configuration
from tasks.dataset.repository import require_version
from tasks.runtime.due import SKIPPED, later_run_due
from tasks.runtime.settings import Settings, require_writable_home
from tasks.tracking.runs import next_seed
from tasks.train.budget import Paused, deadline, minutes_left
from tasks.train.earlier import Candidate, earlier_trainings, note_failure
from tasks.train.plan import AUTO
from tasks.train.trials import choose, require_comparable
from tasks.train.turn import turn
from tasks.train.warm_start import find_warm_start, training_hash_with


class Skipped(BaseModel):
    """Why nothing was trained.

    Attributes:
        skipped: the reason.
        run_id: the training of this recipe, dataset and code that was decided about.
        version: the version that it became; None: none.
        verdict: on it.
    """

    model_config = ConfigDict(frozen=True)

    skipped: str
    run_id: str
    version: int | None
    verdict: str


@flow(name="retrain")
def retrain(
    preset: str = "digits",
    overrides: Overrides = (),
    dataset_md5: str | None = None,
    workers: Workers = 1,
    warm_start: str | None = None,
    skip_unchanged: bool = False,
    trials: Trials = 1,
    max_minutes: Minutes = None,
) -> Registered | Skipped | Paused | State:
    """Train on the current dataset and let the result compete with the champion.

    Of several runs of a schedule that are due at once, after the worker was away, the last one trains. The same
    configuration, data and seed would give the same model again, so each retraining takes the next seed.

    Args:
        preset: name of the configuration to begin with.
        overrides: `section.key=value` changes of it.
        dataset_md5: the version that an event announced; the run takes the current one, which may be newer.
        workers: Ray Train workers: a number, or a range such as `2:4`.
        warm_start: alias or version of the registered model whose networks training begins with.
        skip_unchanged: train nothing where this recipe was trained by this code on this dataset, and decided about.
        trials: so many seeds are trained, and the best by its KID beside training competes.
        max_minutes: after so many minutes of training it pauses with a checkpoint, and the next retraining of this
            recipe and dataset goes on from there; what is trained to its end is measured however long that takes.
    """
    if later := later_run_due():
        return Completed(name=SKIPPED, message=f"run {later} of the same schedule is due as well: one trains for all")
    configuration = resolve_config(preset, overrides)
    return retrain_configured.fn(configuration, dataset_md5, workers, warm_start, skip_unchanged, trials, max_minutes)


@flow(name="retrain")
def retrain_configured(
    configuration: Configuration,
    dataset_md5: str | None = None,
    workers: Workers = 1,
    warm_start: str | None = None,
    skip_unchanged: bool = False,
    trials: Trials = 1,
    max_minutes: Minutes = None,
) -> Registered | Skipped | Paused:
    """As `retrain`, for a caller that has resolved the configuration."""
    settings, logger = Settings(), get_run_logger()
    require_writable_home(settings)
    require_comparable(configuration.config, trials)
    with turn(settings, logger.info, logger.warning):
        start = find_warm_start(settings, warm_start) if warm_start else None
        recipe = training_hash_with(configuration.config.recipe_hash(), start.record if start else None)
        current = require_version(settings)
        if dataset_md5 and current != dataset_md5:
            logger.warning("dataset %s was announced, but %s is current by now", dataset_md5, current)
        earlier = earlier_trainings(settings, configuration.config, recipe, current)
        if skip_unchanged and earlier.decided and not earlier.waiting:
            return _skipped(earlier.decided)
        # by its number: an alias may move meanwhile
        version = str(start.version) if start else None
        wanted = _Wanted(configuration, recipe, workers, version, trials, deadline(max_minutes))
        candidates = _trained(settings, wanted, current, earlier.waiting)
        if isinstance(candidates, Paused):
            return candidates
        best = choose(settings, candidates)
        return _registered(settings, best.run_id, _with_seed(configuration, best.seed))


@dataclass(frozen=True)
class _Wanted:
    """Which trainings: `until` is when there is no more time for them, by the monotonic clock."""

    configuration: Configuration
    recipe: str
    workers: Workers
    warm_start: str | None
    trials: int
    until: float | None


def _trained(
    settings: Settings, wanted: _Wanted, dataset_md5: str, waiting: Sequence[Candidate]
) -> list[Candidate] | Paused:
    """Return the trainings that wait for a decision, and as many new ones as there are to be trials beyond them."""
    logger, candidates = get_run_logger(), list(waiting)
    for each in waiting:
        logger.info(
            "run %s of this recipe, dataset and code is trained, and was never decided about: it is not trained again",
            each.run_id,
        )
    while len(candidates) < wanted.trials and not any(each.chosen for each in candidates):
        minutes = minutes_left(wanted.until)
        if minutes == 0:
            done = f"{len(candidates)} of {wanted.trials} trials"
            return Paused(paused=f"the time is over after {done}: the next retraining goes on")
        seed = next_seed(settings, wanted.configuration.config, dataset_md5, wanted.recipe)
        trial = _with_seed(wanted.configuration, seed)
        # One that was killed, or paused, kept its seed, and is gone on with.
        trained = train(trial, wanted.workers, resume=AUTO, warm_start=wanted.warm_start, max_minutes=minutes)
        if isinstance(trained, Paused):
            return trained
        if trained.dataset_md5 != dataset_md5:
            logger.warning("the dataset has changed, and is %s by now: trainings begin anew", trained.dataset_md5)
            candidates, dataset_md5 = [], trained.dataset_md5
        candidates.append(Candidate(trained.run_id, trial.config.train.seed, kid=trained.kid))
    return candidates


def _with_seed(configuration: Configuration, seed: int) -> Configuration:
    return configuration.changed(f"train.seed={seed}")


def _registered(settings: Settings, run_id: str, configuration: Configuration) -> Registered:
    try:
        return register(run_id, configuration)
    except Exception as error:
        note_failure(settings, run_id, error)
        raise


def _skipped(trainings: Sequence[Candidate]) -> Skipped:
    decided = next((each for each in trainings if each.version is not None), trainings[0])
    verdict = decided.verdict or ""
    became = f"version {decided.version}, {verdict}" if decided.version is not None else verdict
    why = f"recipe, dataset and code are those of run {decided.run_id}, which was decided about: {became}"
    get_run_logger().info("nothing is trained: %s", why)
    return Skipped(skipped=why, run_id=decided.run_id, version=decided.version, verdict=verdict)
