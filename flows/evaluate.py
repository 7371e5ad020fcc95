"""The flow `evaluate`: measure a registered model, a training run or a checkpoint against real images."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from flows.configure import resolve_config
from tasks.allowed_sources import limits_of_this_run
from tasks.dataset import current_dataset
from tasks.features import settled
from tasks.measured import Measured
from tasks.references import require_classes
from tasks.settings import Settings, require_writable_home
from tasks.steps.evaluate import evaluate_generator
from tasks.stopping import goes_on
from tasks.subjects import find_subject


@flow(name="evaluate")
def evaluate(
    model: str = "champion",
    preset: str = "digits",
    overrides: Sequence[str] = (),
    data: str | None = None,
    network: str | None = None,
) -> Measured:
    """Evaluate under the preset's protocol.

    Args:
        model: an alias or version of the registered model, the id of a training run, or a checkpoint folder.
        preset: name of the configuration whose section `evaluation` says how.
        overrides: `section.key=value` changes of it.
        data: a folder or archive of images, a dataset folder or a release; the current dataset without it. A run of a
            deployment may read what lies below the home or is listed in `GANFLOW_SOURCES`; so with the other files.
        network: a TorchScript file instead of FID's Inception.
    """
    settings, config = Settings(), resolve_config(preset, overrides)
    require_writable_home(settings)
    if limits := limits_of_this_run(settings):
        if {"/", "~"} & set(model) or Path(model).is_dir():  # not an alias, a version or the id of a run
            model = limits.path(model)
        data, network = data and limits.path(data), network and limits.path(network)
    with goes_on("nothing was measured, and the same command goes on with the features of real images that are kept"):
        subject = find_subject(settings, model)
        config = config.model_copy(update={"evaluation": settled(settings, config.evaluation)})
        if data:
            return evaluate_generator(subject, config, "", data, network)
        dataset = current_dataset(settings)
        require_classes(subject.class_names, dataset.info.class_names)
        return evaluate_generator(subject, config, dataset.md5, None, network)
