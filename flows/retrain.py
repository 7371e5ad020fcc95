"""The flow `retrain`: train, evaluate, register; what schedules and new data start."""

from prefect import flow, get_run_logger

from flows.configure import resolve_config
from flows.parameters import Overrides, Workers
from flows.register import Registered, register
from flows.train import train
from gan.configuration.provenance import Configuration
from tasks.dataset.repository import require_version
from tasks.runtime.settings import Settings, require_writable_home
from tasks.tracking.runs import next_seed
from tasks.train.plan import AUTO
from tasks.train.warm_start import find_warm_start, training_hash_with


@flow(name="retrain")
def retrain(
    preset: str = "digits",
    overrides: Overrides = (),
    dataset_md5: str | None = None,
    workers: Workers = 1,
    warm_start: str | None = None,
) -> Registered:
    """Train on the current dataset and let the result compete with the champion.

    The same configuration, data and seed would give the same model again, so each retraining takes the next seed.

    Args:
        preset: name of the configuration to begin with.
        overrides: `section.key=value` changes of it.
        dataset_md5: the version that an event announced; the run takes the current one, which may be newer.
        workers: Ray Train workers: a number, or a range such as `2:4`.
        warm_start: alias or version of the registered model whose networks training begins with.
    """
    return retrain_configured.fn(resolve_config(preset, overrides), dataset_md5, workers, warm_start)


@flow(name="retrain")
def retrain_configured(
    configuration: Configuration,
    dataset_md5: str | None = None,
    workers: Workers = 1,
    warm_start: str | None = None,
) -> Registered:
    """As `retrain`, for a caller that has resolved the configuration."""
    settings, config = Settings(), configuration.config
    require_writable_home(settings)
    start = find_warm_start(settings, warm_start) if warm_start else None
    recipe = training_hash_with(config.recipe_hash(), start.record if start else None)
    seed = next_seed(settings, config, require_version(settings), recipe)
    # by its number: an alias may move meanwhile
    version = str(start.version) if start else None
    configuration = configuration.changed(f"train.seed={seed}")
    # One that was killed kept its seed, and is gone on with.
    trained = train(configuration, workers, resume=AUTO, warm_start=version)
    if dataset_md5 and trained.dataset_md5 != dataset_md5:
        get_run_logger().warning(
            "dataset %s was announced, but %s is current by now and was trained on", dataset_md5, trained.dataset_md5
        )
    return register(trained.run_id, configuration)
