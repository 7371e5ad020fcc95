"""Where an evaluation computes its features, and in which precision: in this process, or on the cluster."""

from collections.abc import Callable
from pathlib import Path

from gan.configuration.config import EvaluationConfig
from gan.device.precision import native_bf16
from gan.evaluation.extraction import Extraction, LocalExtraction
from gan.metrics.weights import find_inception_weights
from tasks.evaluate.network import device, load_extractor, warn_of_emulation
from tasks.evaluate.on_ray import RayExtraction, all_nodes_have_bf16
from tasks.runtime.settings import Settings


def resolve_precision(settings: Settings, config: EvaluationConfig, *, gpu: bool | None = None) -> EvaluationConfig:
    """Return a configuration whose precision is no longer `auto` but what all hardware that takes part has itself.

    Args:
        settings: whether there is a cluster.
        config: of an evaluation that is about to begin.
        gpu: whether features are computed on a GPU of this machine; None: if there is one.
    """
    if config.precision != "auto":
        return config
    native = all_nodes_have_bf16(settings) if settings.ray_address else native_bf16(device(gpu))
    return config.model_copy(update={"precision": "bf16" if native else "fp32"})


def open_extraction(
    settings: Settings,
    config: EvaluationConfig,
    *,
    network: Path | None = None,
    on_warning: Callable[[str], None] = lambda sentence: None,
) -> Extraction:
    """Load the network here, and choose where images are passed through it.

    Args:
        settings: where weights are, and whether there is a cluster.
        config: resize, precision (from `resolve_precision`) and batch size.
        network: a TorchScript file instead of Inception.
        on_warning: called with a sentence where this device only emulates the precision.

    Raises:
        WeightsError: the weights are missing or wrong, or the file is no such network.
        ResourcesError: this device's reduced precision is too far from fp32.
    """
    weights = network or find_inception_weights(settings.ganflow_inception_weights, settings.cache_dir)
    warn_of_emulation(config, on_warning)
    extractor = load_extractor(weights, config, own=network is not None)
    if settings.ray_address is not None:
        return RayExtraction(extractor, settings, config, weights, own=network is not None)
    return LocalExtraction(extractor)
