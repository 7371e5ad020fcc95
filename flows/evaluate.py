"""The flow `evaluate`: measure a registered model, a training run or a checkpoint against real images."""

from pathlib import Path

from prefect import flow

from flows.configure import resolve_own
from flows.parameters import Overrides, Plain
from gan.configuration.provenance import Configuration
from tasks.dataset.current import current_dataset
from tasks.evaluate.extraction import resolve_precision
from tasks.evaluate.record import Measured
from tasks.evaluate.references import require_same_classes
from tasks.evaluate.step import evaluate_generator
from tasks.evaluate.subjects import find_subject
from tasks.ingest.allowed_sources import limits_of_this_run
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import said_if_stopped
from tasks.tracking.own_configuration import fixed_name, own_configuration


@flow(name="evaluate")
def evaluate(
    model: Plain = "champion",
    preset: str | None = None,
    overrides: Overrides = (),
    data: Plain | None = None,
    network: Plain | None = None,
) -> Measured:
    """Evaluate under the protocol of the model's own configuration, or of a preset.

    Args:
        model: an alias or version of the registered model, the id of a training run, or a checkpoint folder.
        preset: name of a configuration whose section `evaluation` says how; the model's own without it.
        overrides: `section.key=value` changes of either.
        data: a folder or archive of images, a dataset folder or a release; the current dataset without it. A run of a
            deployment may read what lies below the home or is listed in `GANFLOW_SOURCES`; so with the other files.
        network: a TorchScript file instead of FID's Inception.
    """
    settings = Settings()
    if limits := limits_of_this_run(settings):
        if {"/", "~"} & set(model) or Path(model).is_dir():  # not an alias, a version or the id of a run
            model = limits.path(model)
        data, network = data and limits.path(data), network and limits.path(network)
    model = fixed_name(settings, model)
    configuration = resolve_own(preset, overrides, lambda: own_configuration(settings, model))
    return evaluate_configured.fn(model, configuration, data, network)


@flow(name="evaluate")
def evaluate_configured(
    model: str, configuration: Configuration, data: str | None = None, network: str | None = None
) -> Measured:
    """As `evaluate`, for a caller that has resolved the configuration."""
    settings = Settings()
    require_writable_home(settings)
    with said_if_stopped(
        "nothing was measured, and the same command goes on with the features of real images that are kept"
    ):
        subject = find_subject(settings, model)
        configuration = configuration.measuring(resolve_precision(settings, configuration.config.evaluation))
        if data:
            return evaluate_generator(subject, configuration, "", data, network)
        dataset = current_dataset(settings)
        require_same_classes(subject.class_names, dataset.info.class_names)
        return evaluate_generator(subject, configuration, dataset.md5, None, network)
