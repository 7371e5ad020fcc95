"""An array of pixels turned as EXIF says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan.data.records import Deep

# EXIF's orientations but the first, which is upright.
_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image[::-1].swapaxes(0, 1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image[:, ::-1].swapaxes(0, 1),
}


def upright(image: Deep, orientation: int) -> Deep:
    """Turn an image by its EXIF orientation; what is none leaves it as it is."""
    turn = _TURNS.get(orientation)
    if turn is None:
        return image
    alpha = None if image.alpha is None else np.ascontiguousarray(turn(image.alpha))
    return replace(image, values=np.ascontiguousarray(turn(image.values)), alpha=alpha)
