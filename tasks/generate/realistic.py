"""Images of a release held against the manifold of real ones: made here, and opened in each process that draws."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gan.configuration.config import EvaluationConfig
from gan.errors import DatasetError
from gan.evaluation.real import RealFeatures
from gan.metrics.features import FeatureExtractor
from gan.metrics.weights import find_inception_weights
from gan.release.realism import RealismLook, RealManifold
from tasks.evaluate.network import load_extractor
from tasks.runtime.scratch import local_scratch
from tasks.runtime.settings import Settings

_NEIGHBOURS = 3  # as in the paper
_MOST_REAL = 10_000  # images on either side: each that is drawn is held against half of those that were trained on


@dataclass(frozen=True, eq=False)
class Realistic:
    """Makes the look at realism; a worker gets it whole, for it need not see this machine's disk.

    Attributes:
        network: the file of the feature network, [bytes] uint8.
        config: its resize and precision.
        manifold: of the images that were trained on.
        least: realism that an image has to have.
        described: all that for the manifest; with `holdout_share`, the share of held out images that have less.
    """

    network: npt.NDArray[np.uint8]
    config: EvaluationConfig
    manifold: RealManifold
    least: float
    described: dict[str, Any]

    def __call__(self) -> RealismLook:
        """Load the network onto what this process has, once for all rounds of its drawing."""
        return _opened(self)


@lru_cache(maxsize=1)
def _opened(made: Realistic) -> RealismLook:
    with local_scratch("network") as folder:
        path = folder / "network.pt"
        path.write_bytes(made.network.data)
        network = load_extractor(path, made.config, own=False).network
    size = 1 if network.device.type == "cpu" else None
    extractor = FeatureExtractor(network, resize=made.config.resize, batch_size=size)
    return RealismLook(replace(made.manifold, device=network.device), made.least, extractor)


def realistic(
    settings: Settings,
    config: EvaluationConfig,
    open_features: Callable[[], RealFeatures],
    least: float,
    counting: Callable[[str, int], Callable[[int], None]],
) -> Realistic:
    """Make what images of a release are held against, from the features of real ones.

    Held out images are no part of it, for the release is judged by them.

    Args:
        settings: where the network's file is.
        config: resize and precision of the features.
        open_features: returns those of the real images.
        least: realism that an image has to have.
        counting: called with what passes through the network next, and how many; returns what counts them.

    Raises:
        DatasetError: the images that were trained on are too few, or too much alike.
        WeightsError: the network's file is not to be had.
    """
    features = open_features()

    def of(split: str) -> npt.NDArray[np.float32]:
        count = counting("looking at real images", features.missing(split, _MOST_REAL))
        return features.of(split, _MOST_REAL, count).features

    network, splits = features.extraction.extractor.network, features.real.splits
    try:
        training = of("train")
        manifold = RealManifold.of(training, k=_NEIGHBOURS, device=network.device)
    except (KeyError, ValueError) as error:
        raise DatasetError(
            f"release.min_realism is {least:g}, but the {len(splits.get('train', ()))} training images of dataset "
            f"{features.real.version} are none to hold others against ({error}): set it to null"
        ) from None
    held_out = float((manifold.realism(of("test")) < least).mean()) if "test" in splits else None
    described = {
        "least": least,
        "holdout_share": held_out,
        "neighbours": _NEIGHBOURS,
        "real_images": len(training),
        "network": network.name,
        "network_sha256": network.sha256,
        "precision": network.precision,
        "resize": config.resize,
    }
    weights = find_inception_weights(settings.ganflow_inception_weights, settings.cache_dir)
    # anew, for what the manifold has laid out for this machine's distances is not to travel
    return Realistic(np.fromfile(weights, np.uint8), config, replace(manifold, device="cpu"), least, described)
