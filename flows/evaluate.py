"""The flow `evaluate`: measure a registered model, a training run or a checkpoint against real images."""

from prefect import flow

from flows.configure import resolve_config
from flows.parameters import Overrides, Plain
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
    model: Plain = "champion",
    preset: str = "digits",
    overrides: Overrides = (),
    data: Plain | None = None,
    network: Plain | None = None,
) -> Measured:
    """Evaluate under the preset's protocol.

    Args:
        model: an alias or version of the registered model, the id of a training run, or a checkpoint folder.
        preset: name of the configuration whose section `evaluation` says how.
        overrides: `section.key=value` changes of it.
        data: a folder or archive of images, a dataset folder or a release; the current dataset without it.
        network: a TorchScript file instead of FID's Inception.
    """
    settings, config = Settings(), resolve_config(preset, overrides)
    require_writable_home(settings)
    with goes_on("nothing was measured, and the same command goes on with the features of real images that are kept"):
        subject = find_subject(settings, model)
        config = config.model_copy(update={"evaluation": settled(settings, config.evaluation)})
        if data:
            return evaluate_generator(subject, config, "", data, network)
        dataset = current_dataset(settings)
        require_classes(subject.class_names, dataset.info.class_names)
        return evaluate_generator(subject, config, dataset.md5, None, network)
