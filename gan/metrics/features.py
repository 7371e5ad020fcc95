"""Images -> features, in batches of one size whatever sizes come in."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch

from gan.configuration.vocabulary import Resize
from gan.device.fp32 import full_fp32
from gan.errors import DatasetError, ResourcesError
from gan.metrics.network import FeatureNetwork
from gan.metrics.resize import resize_images

Images = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
PROBE_IMAGES = 4
MOST_DEVIATION = 0.1
"""Of a reduced precision's features from fp32's, relative, in the mean over the probe; bf16 shows 0.01 to 0.03."""


class FeatureExtractor:
    """A feature network with its resize.

    Args:
        network: from `gan.metrics.network`.
        resize: `tf1`, `clean` or `torch`, see `resize_images`.
        batch_size: images per pass of the network; None: `default_batch_size`.
    """

    def __init__(self, network: FeatureNetwork, *, resize: Resize, batch_size: int | None = None) -> None:
        self.network = network
        self.resize: Resize = resize
        self.batch_size = batch_size or default_batch_size(network.device.type)

    def pieces(self, batches: Iterable[Images], total: int | None = None) -> Iterator[Features]:
        """Yield the features of the images, in their order, a batch at a time.

        Args:
            batches: arrays [n, H, W, C] uint8, C = 1 or 3, of any n, read one after the other.
            total: how many images to take; None takes all.

        Yields:
            [batch_size, D] float32; the last may be shorter.

        Raises:
            DatasetError: fewer images than `total` came, or none.
        """
        done = 0
        passed = self._passed(_rebatch(batches, self.batch_size, total))
        while True:
            with full_fp32():  # else fp32 on a GPU would be another protocol than on a CPU
                features = next(passed, None)
            if features is None:
                break
            yield features
            done += len(features)
        if not done or done < (total or 0):
            raise DatasetError(f"features of {total or 'some'} images were asked for but only {done} images came")

    def extract(
        self, batches: Iterable[Images], total: int | None = None, on_progress: Callable[[int], None] | None = None
    ) -> Features:
        """Return all features at once, [N, D] float32; as `pieces`, with the images done so far told after each."""
        rows: list[Features] = []
        done = 0
        for piece in self.pieces(batches, total):
            rows.append(piece)
            done += len(piece)
            if on_progress is not None:
                on_progress(done)
        return np.concatenate(rows)

    def _passed(self, batches: Iterator[Images]) -> Iterator[Features]:
        """Pass batches through the network, in their order.

        On a CPU each thread passes batches of its own: threads that share one wait for each other at every layer.
        """
        threads = torch.get_num_threads()
        if self.network.device.type != "cpu" or threads == 1:
            yield from map(self._features, batches)
            return
        pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        running: deque[Future[Features]] = deque()
        try:
            for images in batches:
                running.append(pool.submit(self._features, images))
                if len(running) > threads:  # one waits, so that no thread does
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # what a thread sets is in part set for all

    @torch.inference_mode()
    def _features(self, images: Images) -> Features:
        pixels = torch.from_numpy(images).to(self.network.device)
        features = self.network.run(resize_images(pixels, self.resize, self.network.input_size))
        return features.cpu().numpy()


def default_batch_size(device_type: str) -> int:
    """Return images per pass: 8 on a CPU, whose caches hold as many, 256 elsewhere."""
    return 8 if device_type == "cpu" else 256


def require_precision(reduced: FeatureExtractor, full: FeatureExtractor, images: Images) -> float:
    """Check a reduced precision against fp32 on this very device, and return how far its features are off.

    Args:
        reduced: the extractor to be used.
        full: the same in fp32.
        images: [n, H, W, C] uint8; the first few are looked at.

    Returns:
        Mean over images of |reduced - full| / |full|.

    Raises:
        ResourcesError: the features are far off, or not finite: this device cannot do that precision.
    """
    probe = images[:PROBE_IMAGES]
    a, b = reduced.extract([probe]), full.extract([probe])
    off = float(np.mean(np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1).clip(min=1e-12)))
    if not off < MOST_DEVIATION:
        raise ResourcesError(
            f"in {reduced.network.precision} this machine's {reduced.network.device.type} gives features that are "
            f"{off:.0%} off those in fp32: evaluate with --set evaluation.precision=fp32"
        )
    return off


def _rebatch(batches: Iterable[Images], size: int, total: int | None) -> Iterator[Images]:
    waiting: list[Images] = []
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
