"""Which images are refused for what they are by themselves, with the reason; `plan` refuses for what others are."""

import numpy as np
from numpy.typing import NDArray

from gan.data.building.recipe import Recipe
from gan.data.records import Reject, SourceImage

TOO_SMALL = "too small"
WRONG_ASPECT = "too long and thin"
BLANK = "blank"
NO_NUMBER = "no value is a number"


def refusal(record: SourceImage, recipe: Recipe) -> Reject | None:
    """Return why a source image's size is refused, or None where it is not."""
    height, width, _ = record.pixels.shape
    shorter, longer = min(height, width), max(height, width)
    if shorter < recipe.shortest_side:
        detail = f"{width}x{height} pixels, where {recipe.shortest_side} a side are wanted"
        return Reject(record.path, TOO_SMALL, detail)
    if longer > recipe.max_aspect * shorter:
        return Reject(record.path, WRONG_ASPECT, f"{width}x{height} pixels")
    return None


def are_blank(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Say of each of `[N, H, W, C]` prepared images whether all its pixels are the same: `[N]` bool."""
    blank: NDArray[np.bool_] = (images[:, 0] == images[:, 0, :1]).all(axis=(1, 2))  # one row tells nearly all
    blank[blank] = (images[blank] == images[blank][:, :1, :1]).all(axis=(1, 2, 3))
    return blank
