"""The flow `retrain`: train, evaluate, register; what schedules and new data start."""

from collections.abc import Sequence

from prefect import flow, get_run_logger

from flows.register import Registered, register
from flows.train import train


@flow(name="retrain")
def retrain(
    preset: str = "digits", overrides: Sequence[str] = (), dataset_md5: str | None = None, workers: int = 1
) -> Registered:
    """Train on the current dataset and let the result compete with the champion.

    Args:
        preset: name of the configuration to begin with.
        overrides: `section.key=value` changes of it.
        dataset_md5: the version that an event announced; the run takes the current one, which may be newer.
        workers: Ray Train workers, 1 or more.
    """
    trained = train(preset, overrides, workers)
    if dataset_md5 and trained.dataset_md5 != dataset_md5:
        get_run_logger().warning(
            "dataset %s was announced, but %s is current by now and was trained on", dataset_md5, trained.dataset_md5
        )
    return register(trained.run_id, preset, overrides)
