"""The feature network of an evaluation: found, checked on this device, and spread over the cluster if there is one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gan.configuration.config import EvaluationConfig
from gan.configuration.vocabulary import Precision
from gan.device.precision import emulation_warning, native_bf16
from gan.evaluation.extraction import Extraction, LocalExtraction
from gan.metrics.features import FeatureExtractor, require_precision
from gan.metrics.network import FeatureNetwork, inception, other_network
from gan.metrics.weights import find_inception_weights
from tasks.evaluate.on_ray import RayExtraction, all_nodes_have_bf16
from tasks.runtime.settings import Settings


def device(gpu: bool | None = None) -> torch.device:
    """Where features are computed.

    Args:
        gpu: whether on a GPU; None: if there is one.
    """
    return torch.device("cuda" if (torch.cuda.is_available() if gpu is None else gpu) else "cpu")


def settled(settings: Settings, config: EvaluationConfig, *, gpu: bool | None = None) -> EvaluationConfig:
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


def warn_of_emulation(config: EvaluationConfig, on_warning: Callable[[str], None], *, gpu: bool | None = None) -> None:
    """Say how slow bf16 is, to who asked for it where it is emulated.

    Args:
        config: of an evaluation, from `settled`.
        on_warning: called with the sentence.
        gpu: whether features are computed on a GPU of this machine; None: if there is one.
    """
    if config.precision == "bf16" and (sentence := emulation_warning("evaluation.precision", device(gpu))):
        on_warning(sentence)


def open_extraction(
    settings: Settings,
    config: EvaluationConfig,
    *,
    network: Path | None = None,
    on_warning: Callable[[str], None] = lambda sentence: None,
) -> Extraction:
    """Load the network, and prove that a reduced precision is good on this device.

    Args:
        settings: where weights are, and whether there is a cluster.
        config: resize, precision (from `settled`) and batch size.
        network: a TorchScript file instead of Inception.
        on_warning: called with a sentence where this device only emulates the precision.

    Raises:
        WeightsError: the weights are missing or wrong, or the file is no such network.
        ResourcesError: this device's reduced precision is too far from fp32.
    """
    assert config.precision != "auto"
    weights = network or find_inception_weights(settings.ganflow_inception_weights, settings.cache_dir)

    def extractor(precision: Precision) -> FeatureExtractor:
        return FeatureExtractor(
            _load(weights, precision, own=network is not None), resize=config.resize, batch_size=config.batch_size
        )

    warn_of_emulation(config, on_warning)
    chosen = extractor(config.precision)
    if config.precision != "fp32":
        require_precision(chosen, extractor("fp32"), _probe())
    if settings.ray_address is not None:
        return RayExtraction(chosen, settings, config, weights, own=network is not None)
    return LocalExtraction(chosen)


def _load(path: Path, precision: Precision, *, own: bool) -> FeatureNetwork:
    load = other_network if own else inception
    return load(path, precision=precision, device=device())


def _probe() -> np.ndarray:
    """Noise and ramps, [4, 32, 32, 3] uint8."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    across = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, None] * 8, (32, 32, 3))
    return np.stack([*noise, across, across.transpose(1, 0, 2)])
