"""The flow `tune`: a search for settings around a preset, and whether what it found beats the preset."""

from prefect import flow, get_run_logger

from flows.parameters import Overrides
from flows.resume_hint import command_line
from gan.configuration.provenance import Configuration
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import said_if_stopped
from tasks.tracking.client import end_abandoned_runs
from tasks.tune.outcome import Tuned
from tasks.tune.plan import plan_tuning
from tasks.tune.runs import opened_search
from tasks.tune.step import judge_winner, search_trials


@flow(name="tune")
def tune(
    configuration: Configuration,
    search: Overrides = (),
    trials: int = 8,
    kimg: float | None = None,
    at_once: int | None = None,
) -> Tuned:
    """Search around a configuration; the runs lie in MLflow's experiment `ganflow-tuning`, and are no candidates.

    Args:
        configuration: what is to be beaten.
        search: `key=low:high[:log]` or `key=a|b|c`, in the place of the default range of that key.
        trials: how many, the configuration itself among them.
        kimg: length of each; None: the configuration's own.
        at_once: trials at a time; None: one for each GPU, or one.
    """
    settings = Settings()
    require_writable_home(settings)
    end_abandoned_runs(settings)
    plan = plan_tuning(settings, configuration, search, trials, kimg)
    get_run_logger().info("searching over %s", ", ".join(map(str, plan.space)))
    again = command_line("tune", configuration=configuration, trials=trials, kimg=kimg)
    with (
        said_if_stopped(f"{again}, with the same --search, goes on with the trials that are missing"),
        opened_search(settings, plan) as log,
    ):
        found = search_trials(plan, log.run_id, at_once)
        return judge_winner(plan, log.run_id, found)
