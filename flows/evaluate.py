"""The flow `evaluate`: measure a registered model, or a training run, against the current dataset."""

from collections.abc import Sequence

from prefect import flow

from flows.configure import resolve_config
from gan.metrics.evaluation import Evaluation
from tasks.dataset import current_dataset
from tasks.registry import find_model, require_classes, run_classes
from tasks.settings import Settings, require_writable_home
from tasks.steps.evaluate import evaluate_generator

RUN_ID_LENGTH = 32


@flow(name="evaluate")
def evaluate(model: str = "champion", preset: str = "digits", overrides: Sequence[str] = ()) -> Evaluation:
    """Evaluate under the preset's protocol.

    Args:
        model: an alias or version of the registered model, or the id of a training run.
        preset: name of the configuration whose section `evaluation` says how.
        overrides: `section.key=value` changes of it.
    """
    settings, config = Settings(), resolve_config(preset, overrides)
    require_writable_home(settings)
    dataset = current_dataset(settings)
    if len(model) == RUN_ID_LENGTH:
        require_classes(run_classes(settings, model), dataset.info)
        return evaluate_generator(model, None, config, dataset.md5)
    found = find_model(settings, model)
    require_classes(found.class_names, dataset.info)
    return evaluate_generator(found.run_id, found.version, config, dataset.md5)
