"""The feature network of an evaluation, loaded onto a device and checked there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gan.configuration.config import EvaluationConfig
from gan.configuration.vocabulary import Precision
from gan.device.precision import emulation_warning
from gan.metrics.features import FeatureExtractor, require_precision
from gan.metrics.network import FeatureNetwork, inception, other_network


def device(gpu: bool | None = None) -> torch.device:
    """Where features are computed.

    Args:
        gpu: whether on a GPU; None: if there is one.
    """
    return torch.device("cuda" if (torch.cuda.is_available() if gpu is None else gpu) else "cpu")


def warn_of_emulation(config: EvaluationConfig, on_warning: Callable[[str], None], *, gpu: bool | None = None) -> None:
    """Say how slow bf16 is, to who asked for it where it is emulated.

    Args:
        config: of an evaluation, its precision no longer `auto`.
        on_warning: called with the sentence.
        gpu: whether features are computed on a GPU of this machine; None: if there is one.
    """
    if config.precision == "bf16" and (sentence := emulation_warning("evaluation.precision", device(gpu))):
        on_warning(sentence)


def load_extractor(weights: Path, config: EvaluationConfig, *, own: bool) -> FeatureExtractor:
    """Load the network, and prove that a reduced precision is good on this device.

    Args:
        weights: the network's file.
        config: resize, precision (no longer `auto`) and batch size.
        own: whether it is a TorchScript file instead of Inception.

    Raises:
        WeightsError: the file is missing or another one, or is no such network.
        ResourcesError: this device's reduced precision is too far from fp32.
    """
    assert config.precision != "auto"

    def extractor(precision: Precision) -> FeatureExtractor:
        return FeatureExtractor(_load(weights, precision, own=own), resize=config.resize, batch_size=config.batch_size)

    chosen = extractor(config.precision)
    if config.precision != "fp32":
        require_precision(chosen, extractor("fp32"), _probe())
    return chosen


def _load(path: Path, precision: Precision, *, own: bool) -> FeatureNetwork:
    load = other_network if own else inception
    return load(path, precision=precision, device=device())


def _probe() -> np.ndarray:
    """Noise and ramps, [4, 32, 32, 3] uint8."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    across = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, None] * 8, (32, 32, 3))
    return np.stack([*noise, across, across.transpose(1, 0, 2)])
