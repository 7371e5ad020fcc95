"""The network whose features are compared: FID's Inception, or another one that a file brings along."""

import hashlib
import io
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gan.configuration.vocabulary import Precision
from gan.device.allocator import keep_freed_memory
from gan.errors import WeightsError
from gan.metrics.inception import INPUT_SIZE, NETWORK, load_inception
from gan.metrics.weights import INCEPTION_SHA256
from gan.text.shown import last_line_of, reason_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
OTHER_INPUT_SIZE = 224


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A network ready to run.

    Attributes:
        name: what scores are called after; `inception-v3-2015-12-05` alone makes a FID.
        sha256: of the file that it came from.
        precision: of weights and activations.
        device: where it computes.
        input_size: side of its images in pixels.
        run: maps [N, 3, input_size, input_size] float32 in [0, 255] to features [N, D] float32.
    """

    name: str
    sha256: str
    precision: Precision
    device: torch.device
    input_size: int
    run: Callable[[Tensor], Tensor]

    @property
    def is_inception(self) -> bool:
        """Whether scores may be called FID and KID."""
        return self.sha256 == INCEPTION_SHA256


def inception(weights: Path, *, precision: Precision, device: str | torch.device = "cpu") -> FeatureNetwork:
    """Load the 2015 Inception, whose features are [N, 2048].

    Args:
        weights: the published file, see `find_inception_weights`.
        precision: `fp32`, or `bf16` for weights and activations behind Inception's stem.
        device: where it computes.

    Raises:
        WeightsError: the file is missing or is another one.
    """
    if torch.device(device).type == "cpu":
        keep_freed_memory()
    network = load_inception(weights, device=device, dtype=DTYPES[precision])

    def run(images: Tensor) -> Tensor:
        features: Tensor = network(((images - 128.0) / 128.0).to(memory_format=torch.channels_last))
        return features

    return FeatureNetwork(NETWORK, INCEPTION_SHA256, precision, torch.device(device), INPUT_SIZE, run)


def other_network(path: Path, *, precision: Precision, device: str | torch.device = "cpu") -> FeatureNetwork:
    """Load a TorchScript file, for example DINOv2, named after the file.

    The program takes [N, 3, S, S] float in [0, 1], normalises as it was trained, and returns [N, D]. S is its
    attribute `input_size`, or 224.

    Args:
        path: the file, as `torch.jit.save` writes it.
        precision: `fp32`, or `bf16` for weights and activations.
        device: where it computes.

    Raises:
        WeightsError: the file cannot be read, or is no such program.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"the feature network {path} cannot be read ({os.strerror(error.errno or 0)})") from None
    dtype, place = DTYPES[precision], torch.device(device)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`torch.jit.load` is deprecated", category=DeprecationWarning)
            module = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
        size = int(getattr(module, "input_size", OTHER_INPUT_SIZE))
        module.eval().to(device=place, dtype=dtype)
    except Exception as error:  # on damaged files its reader raises nearly any type
        raise WeightsError(
            f"{path} is no TorchScript program ({reason_of(error)}): save one with torch.jit.save"
        ) from None

    def run(images: Tensor) -> Tensor:
        try:
            found = module((images / 255.0).to(dtype))
        except RuntimeError as error:
            raise WeightsError(
                f"{path} cannot take [N, 3, {size}, {size}] images in {precision} ({last_line_of(error)}): give it an "
                "attribute input_size, or a program that takes them (a traced one may want evaluation.precision=fp32)"
            ) from None
        if not isinstance(found, Tensor) or found.shape[:1] != images.shape[:1] or found.ndim != 2:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise WeightsError(f"{path} returns {shape} for {len(images)} images, expected [{len(images)}, D]")
        return found.float()

    name = re.sub(r"[^a-z0-9]+", "", path.stem.lower()) or "other"
    return FeatureNetwork(name, hashlib.sha256(content).hexdigest(), precision, place, size, run)
