"""The feature network of an evaluation: found, checked on this device, and spread over the cluster if there is one."""

from pathlib import Path

import numpy as np
import torch

from gan.config import EvaluationConfig, Precision
from gan.evaluation.extraction import Extraction, LocalExtraction
from gan.metrics.features import FeatureExtractor, require_precision
from gan.metrics.network import FeatureNetwork, inception, other_network
from gan.metrics.weights import find_inception_weights
from tasks.ray_features import RayExtraction
from tasks.settings import Settings


def device() -> torch.device:
    """Where features are computed."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def open_extraction(settings: Settings, config: EvaluationConfig, *, network: Path | None = None) -> Extraction:
    """Load the network, and prove that a reduced precision is good on this device.

    Args:
        settings: where weights are, and whether there is a cluster.
        config: resize, precision and batch size.
        network: a TorchScript file instead of Inception.

    Raises:
        WeightsError: the weights are missing or wrong, or the file is no such network.
        ResourcesError: this device's reduced precision is too far from fp32.
    """
    weights = network or find_inception_weights(settings.ganflow_inception_weights, settings.cache_dir)

    def extractor(precision: Precision) -> FeatureExtractor:
        return FeatureExtractor(
            _load(weights, precision, own=network is not None), resize=config.resize, batch_size=config.batch_size
        )

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
