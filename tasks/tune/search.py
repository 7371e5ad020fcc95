"""Ray Tune: the trials of a search, with the cores of this machine or cluster shared out among them."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan.errors import ResourcesError
from gan.training.header import Header
from tasks.runtime.ray_cluster import in_a_thread, ray_cluster
from tasks.runtime.settings import Settings
from tasks.train.resources import worker_resources
from tasks.tune.plan import HALVING, rungs

if TYPE_CHECKING:
    from ray.tune.schedulers import ASHAScheduler

    from tasks.train.validator import OpenScore
    from tasks.tune.trial import Mark

TO_TRIALS = {
    *("ganflow_home", "ganflow_storage", "ganflow_cache", "ganflow_inception_weights", "ganflow_ship_code"),
    *("ganflow_feed_memory", "ray_address"),
}
"""Settings that trials need: none of them is a secret."""
# Ray Tune's own files of results are of no use here, and its lines would stand between ours.
QUIET = {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_WARN_THRESHOLD_S": "60"}
INCUMBENT = 0


def halving(kimg: float) -> "ASHAScheduler":
    """Return what stops trials: at each of `rungs`, those above the median KID of the ones that came there before.

    The preset itself comes to its end whatever its scores are: the winner is held against it.
    """
    from ray.tune.schedulers import ASHAScheduler, TrialScheduler

    class SparesThePreset(ASHAScheduler):
        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            action = super().on_trial_result(tune_controller, trial, result)
            spared = trial.config["number"] == INCUMBENT and result["kimg"] < kimg
            return TrialScheduler.CONTINUE if spared else str(action)

    return SparesThePreset(
        "kimg",
        metric="kid",
        mode="min",
        grace_period=rungs(kimg)[0],  # type: ignore[arg-type]
        max_t=kimg,  # type: ignore[arg-type]
        reduction_factor=HALVING,
    )


def run_trials(
    settings: Settings,
    headers: Sequence[Header],
    *,
    kimg: float,
    names: Sequence[str],
    at_once: int | None,
    folder: Path,
    known: "Mapping[int, Sequence[Mark]]",
    on_begin: Callable[[int], None],
    on_mark: "Callable[[int, Mark], None]",
    on_end: Callable[[int, Mapping[str, Any]], None],
    on_warning: Callable[[str], None],
    open_score: "OpenScore | None" = None,
) -> None:
    """Train all trials, each to its end or to the rung at which Ray Tune stops it.

    Args:
        settings: where data and storage are.
        headers: what the checkpoints of each trial carry.
        kimg: length of a trial.
        names: folder of each in the storage.
        at_once: trials at a time; None: one for each GPU, or one.
        folder: for checkpoints of those that came to their end, by number.
        known: marks of trials that need not be trained again, by number.
        on_begin: called with the number of a trial that begins; this and the next two in a thread of this process.
        on_mark: called with a number and each score; also with those that are known.
        on_end: called with a number and, where it came to its end, `checkpoint` and `best`, or a `failure`.
        on_warning: called with a sentence where Ray did not start and is tried again.
        open_score: what scores checkpoints; None: KID.
    """
    with ray_cluster(settings, on_warning) as nodes, _environment(QUIET):
        import ray
        from ray import tune

        from tasks.tune.trial import Trial, TrialPayload

        most = at_once or max(1, int(sum(node.get("GPU", 0) for node in nodes)))
        payload = TrialPayload(
            headers=tuple(header.to_json() for header in headers),
            settings=settings.model_dump(mode="json", include=TO_TRIALS),
            names=tuple(names),
            cpus=cores_of_each(nodes, most) if most > 1 else None,
            folder=str(folder),
            known={number: [mark.model_dump() for mark in marks] for number, marks in known.items()},
            open_score=open_score,
        )
        here = f"node:{ray.util.get_node_ip_address()}"  # type: ignore[no-untyped-call]
        tuner = tune.Tuner(
            # the workers take the cores; what watches them lies beside the driver, whose disk it needs
            tune.with_resources(tune.with_parameters(Trial, payload=payload), {"CPU": 0, here: 0.001}),
            param_space={"number": tune.grid_search(list(range(len(headers))))},
            tune_config=tune.TuneConfig(scheduler=halving(kimg), max_concurrent_trials=most, reuse_actors=True),
            run_config=tune.RunConfig(
                name="search",
                storage_path=str(folder / "ray-tune"),
                callbacks=[_told(on_begin, on_mark, on_end)],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        )
        in_a_thread(tuner.fit)


def cores_of_each(nodes: Sequence[Mapping[str, float]], at_once: int) -> int:
    """Cores that each of so many trials can have at once; a trial lives on one node.

    Raises:
        ResourcesError: there is no room for as many.
    """
    try:
        return worker_resources(nodes, at_once)["CPU"]
    except ResourcesError:
        raise ResourcesError(
            f"{at_once} trials at once were asked for, and there are not as many cores, and GPUs where there are any, "
            "that lie beside each other: lower --max-trials-at-once"
        ) from None


def _told(
    on_begin: Callable[[int], None],
    on_mark: "Callable[[int, Mark], None]",
    on_end: Callable[[int, Mapping[str, Any]], None],
) -> Any:
    """Return what Ray Tune tells of its trials."""
    from ray import tune

    from tasks.tune.trial import DONE, Mark

    class Told(tune.Callback):
        def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            on_begin(trial.config["number"])

        def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: Any, **info: Any) -> None:
            if math.isfinite(result["kid"]):  # an end without a score of its own is no mark
                on_mark(
                    trial.config["number"], Mark.model_validate({key: result.get(key) for key in Mark.model_fields})
                )

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            last = trial.last_result
            on_end(trial.config["number"], last if "checkpoint" in last or "failure" in last else {})

        def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            on_end(trial.config["number"], {DONE: True, "failure": "its process was lost"})

    return Told()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the block that nobody has set."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
