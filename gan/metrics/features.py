"""Images -> features of the 2015 Inception, in batches of one size whatever sizes come in."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan.config import Precision, Resize
from gan.errors import DatasetError
from gan.metrics.inception import NETWORK, load_inception
from gan.metrics.resize import resize_images
from gan.metrics.weights import INCEPTION_SHA256

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class FeatureExtractor:
    """The feature network with its resize and precision; `network` and `sha256` name what the features are of."""

    network = NETWORK
    sha256 = INCEPTION_SHA256

    def __init__(
        self,
        weights: Path,
        *,
        resize: Resize,
        precision: Precision,
        device: str | torch.device = "cpu",
        batch_size: int = 64,
    ) -> None:
        """Load the network.

        Args:
            weights: the published file, see `find_inception_weights`.
            resize: `tf1`, `clean` or `torch`, see `resize_images`.
            precision: `fp32`, or `bf16` for weights and activations.
            device: where the network computes.
            batch_size: images per pass of the network.

        Raises:
            WeightsError: the file is missing or is another one.
        """
        self.resize: Resize = resize
        self.precision: Precision = precision
        self.device = torch.device(device)
        self.batch_size = batch_size
        self._dtype = _DTYPES[precision]
        self._network = load_inception(weights, device=self.device, dtype=self._dtype)

    def extract(
        self,
        batches: Iterable[npt.NDArray[np.uint8]],
        total: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the features of the images, in their order.

        Args:
            batches: arrays [n, H, W, C] uint8, C = 1 or 3, of any n, read one after the other.
            total: how many images to take; None takes all.
            on_progress: called after every pass with the number of images done so far.

        Returns:
            [N, 2048] float32.

        Raises:
            DatasetError: fewer images than `total` came, or none.
        """
        rows: list[npt.NDArray[np.float32]] = []
        done = 0
        for images in _rebatch(batches, self.batch_size, total):
            rows.append(self._features(torch.from_numpy(images)).cpu().numpy())
            done += len(images)
            if on_progress is not None:
                on_progress(done)
        if not rows or done < (total or 0):
            raise DatasetError(f"features of {total or 'some'} images were asked for but only {done} images came")
        return np.concatenate(rows)

    @torch.inference_mode()
    def _features(self, images: Tensor) -> Tensor:
        resized = resize_images(images.to(self.device), self.resize)
        scaled = ((resized - 128.0) / 128.0).to(self._dtype, memory_format=torch.channels_last)
        with _full_fp32():
            features: Tensor = self._network(scaled)
        return features


@contextmanager
def _full_fp32() -> Iterator[None]:
    # TensorFloat-32 would make fp32 on a GPU another protocol than fp32 on a CPU; the older switch, cudnn.allow_tf32,
    # raises as soon as training has used this newer one
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before


def _rebatch(batches: Iterable[npt.NDArray[np.uint8]], size: int, total: int | None) -> Iterator[npt.NDArray[np.uint8]]:
    waiting: list[npt.NDArray[np.uint8]] = []
    have, left = 0, total
    for batch in batches:
        images = batch if left is None else batch[:left]
        left = None if left is None else left - len(images)
        while len(images):
            taken = images[: size - have]
            waiting.append(taken)
            have += len(taken)
            images = images[len(taken) :]
            if have == size:
                yield np.concatenate(waiting)
                waiting, have = [], 0
        if left == 0:
            break
    if have:
        yield np.concatenate(waiting)
