"""The flow `train`: a generator from the current dataset, in a run of its own."""

from collections.abc import Sequence

from prefect import flow
from prefect.runtime import flow_run

from flows.configure import resolve_config
from flows.server import up_state
from tasks import artifacts
from tasks.dataset import current_dataset
from tasks.settings import Settings, require_writable_home
from tasks.steps.train import Trained, train_generator
from tasks.tracking import TRAINING, run
from tasks.training import checkpoint_header


@flow(name="train")
def train(preset: str = "digits", overrides: Sequence[str] = (), workers: int = 1) -> Trained:
    """Train a generator on the current dataset; the checkpoint lies in an MLflow run of `ganflow-training`.

    Args:
        preset: name of the configuration to begin with.
        overrides: `section.key=value` changes of it.
        workers: Ray Train workers, 1 or more.
    """
    settings, config = Settings(), resolve_config(preset, overrides)
    require_writable_home(settings)
    dataset = current_dataset(settings)
    header = checkpoint_header(config, dataset.info, dataset.md5)
    tags = {
        "dataset_md5": dataset.md5,
        "preset": config.preset,
        "recipe": config.recipe_hash(),
        "prefect_flow_run": str(flow_run.get_id() or ""),
    }
    with run(settings, TRAINING, f"{config.preset}-{config.train.total_kimg:g}kimg", tags) as log:
        log.params(config)
        log.text(dataset.pointer, "data.dvc")
        if state := up_state(settings):
            experiment = log.client.get_run(log.run_id).info.experiment_id
            url = f"{state.mlflow_url}/#/experiments/{experiment}/runs/{log.run_id}"
            artifacts.link("mlflow-run", url, f"MLflow run {log.run_id}")
        return train_generator(log.run_id, config, header, workers)
