"""What a person would rather look at: real beside generated images, nearest neighbours, suspicious pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gan.evaluation.evaluation_set import EvaluationSet
from gan.metrics.neighbours import nearest

Image = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

CLASSES, IN_A_STRIP, NEIGHBOURS = 50, 14, 12
PIXEL_BYTES = 2**28
"""Of training images among which the nearest by pixels is looked for; four times that as float32."""


@dataclass(frozen=True, eq=False)
class Strip:
    """Images of one class, generated ones beside real ones; either may be none.

    Attributes:
        name: of the class; empty where there are no classes.
        real: [n, H, W, C] uint8.
        generated: [m, H, W, C] uint8, on fixed seeds so that pages can be compared.
    """

    name: str
    real: Image
    generated: Image


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A generated image and the training images that are nearest to it.

    Attributes:
        label: what it is, as "cat, seed 7".
        generated: [H, W, C] uint8.
        in_features: [H, W, C] uint8, the nearest by the network's features.
        feature_distance: from it.
        in_pixels: [H, W, C] uint8, the nearest by pixels.
        pixel_distance: from it, the root of the mean square on a scale of 0 to 1.
    """

    label: str
    generated: Image
    in_features: Image
    feature_distance: float
    in_pixels: Image
    pixel_distance: float


@dataclass(frozen=True, eq=False)
class Pair:
    """A generated image that may be a copy.

    Attributes:
        label: what it is, as "cat, seed 7".
        generated: [H, W, C] uint8.
        training: [H, W, C] uint8, of what it may be a copy.
        score: by which it is suspected.
    """

    label: str
    generated: Image
    training: Image
    score: float


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of one evaluation; each may be empty."""

    strips: Sequence[Strip] = ()
    neighbours: Sequence[Neighbour] = ()
    feature_copies: Sequence[Pair] = ()
    pixel_copies: Sequence[Pair] = ()


def strips(real: EvaluationSet, generated: EvaluationSet, class_names: Sequence[str]) -> Iterator[Strip]:
    """Yield the first images of the first classes, or of all images where there are no classes."""
    if not class_names:
        most = 4 * IN_A_STRIP
        yield Strip("", real.of_class(None, most), generated.of_class(None, most))
    for label, name in list(enumerate(class_names))[:CLASSES]:
        strip = Strip(name, real.of_class(label, IN_A_STRIP), generated.of_class(label, IN_A_STRIP))
        if len(strip.real) or len(strip.generated):
            yield strip


def neighbours(generated: EvaluationSet, training: EvaluationSet, names: Sequence[str]) -> Iterator[Neighbour]:
    """Yield the first generated images with the training images that are nearest to them.

    Args:
        generated: the first of its images are shown.
        training: images of the same size.
        names: what the first generated images are called.
    """
    shown = np.stack([generated.image(index) for index in range(len(names))])
    by_features, nearest_features = nearest(generated.features.features[: len(names)], training.features.features, 1)
    looked_at = training.kept(PIXEL_BYTES)
    others = np.asarray(training.images[looked_at])
    channels = max(shown.shape[3], others.shape[3])
    mine, theirs = _flat(shown, channels), _flat(others, channels)
    by_pixels, nearest_pixels = nearest(mine, theirs, 1)
    for row, name in enumerate(names):
        yield Neighbour(
            name,
            shown[row],
            training.image(int(nearest_features[row, 0])),
            float(by_features[row, 0]),
            others[nearest_pixels[row, 0]],
            float(by_pixels[row, 0]) / mine.shape[1] ** 0.5,
        )


def called(index: int, labels: Rows, class_names: Sequence[str], first_seed: int) -> str:
    """Return what a generated image is called, as "cat, seed 7"."""
    name = f"seed {first_seed + index}"
    return f"{class_names[labels[index]]}, {name}" if class_names else name


def _flat(images: Image, channels: int) -> npt.NDArray[np.float32]:
    pixels = np.broadcast_to(images, (*images.shape[:3], channels)).reshape(len(images), -1)
    return np.asarray(pixels, dtype=np.float32) / np.float32(255)
