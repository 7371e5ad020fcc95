"""Generated, training and held out images seen in one way, by pixels or by features, in which distances are taken."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gan.metrics.neighbours import nearest
from gan.metrics.pixel_vectors import Images, PixelVectors, nearest_pixels

Features = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float32]
Vectors = Any
"""Features or PixelVectors: [N] of them, of which rows [n] int64 can be taken."""
Search = Callable[[Vectors, Vectors, int], tuple[Distances, Rows]]

LEAST = 20
"""Images of each kind from which on anything is said."""
BY_PIXELS, BY_FEATURES = "by pixels", "by features"


@dataclass(frozen=True, eq=False)
class View:
    """Three sets of images as vectors of one kind.

    Attributes:
        how: in words, as `by pixels`.
        generated: what may give something away.
        training: images that the generator was trained on, the members.
        holdout: images of the same origin that it was not trained on: the control of everything here.
        search: returns the k nearest of the second for each of the first: distances [N, k] and indices [N, k].
    """

    how: str
    generated: Vectors
    training: Vectors
    holdout: Vectors
    search: Search

    def with_sets(self, generated: Vectors, training: Vectors, holdout: Vectors) -> "View":
        """Return other sets, seen in the same way."""
        return replace(self, generated=generated, training=training, holdout=holdout)


def feature_view(
    generated: Features, training: Features, holdout: Features, *, device: str | torch.device = "cpu"
) -> View:
    """See images by the features [N, D] of a network, at Euclidean distance.

    Raises:
        ValueError: a set has fewer than 20 images.
    """
    _require_enough(generated, training, holdout)
    return View(BY_FEATURES, generated, training, holdout, partial(nearest, device=device))


def pixel_view(generated: Images, training: Images, holdout: Images, *, device: str | torch.device = "cpu") -> View:
    """See images [N, H, W, C] uint8 by their pixels, at the distance of `nearest_pixels`, blind to small shifts.

    Raises:
        ValueError: a set has fewer than 20 images, or images of another size.
    """
    _require_enough(generated, training, holdout)
    shapes = {each.shape[1:] for each in (generated, training, holdout)}
    if len(shapes) > 1:
        raise ValueError(f"images of one size are needed, but there are {sorted(shapes)}")
    ours, members, others = (PixelVectors.of(each, device=device) for each in (generated, training, holdout))
    return View(BY_PIXELS, ours, members, others, partial(nearest_pixels, device=device))


def halves(vectors: Vectors, seed: int) -> tuple[Vectors, Vectors]:
    """Return two random halves of equal size."""
    order = np.random.default_rng(seed).permutation(len(vectors))
    half = len(order) // 2
    return vectors[order[:half]], vectors[order[half : 2 * half]]


def _require_enough(*sets: Any) -> None:
    counts = [len(each) for each in sets]
    if min(counts) < LEAST:
        raise ValueError(
            f"there are {counts[0]} generated, {counts[1]} training and {counts[2]} held out images, but {LEAST} of "
            "each are needed"
        )
