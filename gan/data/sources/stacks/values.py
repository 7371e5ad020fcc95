"""The range of an array's values, and what of it is black and white."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.records import PART_BYTES
from gan.data.sources.stacks.header import Header
from gan.errors import DatasetError


class Scale(NamedTuple):
    """The value that becomes 0 and the one that becomes 255."""

    black: float
    white: float


AS_THEY_ARE = Scale(0, 255)


def to_uint8(values: NDArray[np.generic], scale: Scale) -> NDArray[np.uint8]:
    """Return pixels for values that lie within a scale, rounded to the nearest."""
    if scale == AS_THEY_ARE:
        return values.astype(np.uint8)
    span = scale.white - scale.black
    pixels: NDArray[np.uint8] = np.rint((values.astype(np.float32) - scale.black) * (255 / span)).astype(np.uint8)
    return pixels


def chunks(file: Blob, header: Header, where: str) -> Iterator[NDArray[np.generic]]:
    """Yield the rows of an array that lies in a file by its first index, some megabytes at a time.

    Args:
        file: its values, without the header.
        header: what they are.
        where: what to call it in messages.

    Raises:
        DatasetError: they cannot be read.
    """
    step = max(1, PART_BYTES // max(1, header.row_bytes))
    for start in range(0, header.shape[0], step):
        count = min(step, header.shape[0] - start)
        size = count * header.row_bytes
        try:
            data = read_blob(Blob(file.file, size, file.offset + start * header.row_bytes), most=size)
        except UnreadableError as error:
            raise DatasetError(f"{where} cannot be read ({error.reason}): fetch it again") from None
        yield np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])


def value_range(file: Blob, header: Header, where: str) -> tuple[float, float]:
    """Return the smallest and the largest value; of bytes, enough to tell that there are more than 0 and 1.

    Raises:
        DatasetError: they cannot be read.
    """
    low, high = float("inf"), float("-inf")
    for values in chunks(file, header, where):
        least, most = float(values.min()), float(values.max())
        if not math.isfinite(least + most):
            return least, most
        low, high = min(low, least), max(high, most)
        if header.dtype == np.uint8 and high > 1:
            break
    return low, high


def find_scale(low: float, high: float, dtype: np.dtype[np.generic], where: str) -> tuple[Scale, str]:
    """Tell what of a range of values is black and white.

    Args:
        low: the smallest value.
        high: the largest.
        dtype: what they are stored as.
        where: what holds them.

    Returns:
        The scale, and a note where it is not what the values themselves say.

    Raises:
        DatasetError: it is not known.
    """
    if dtype.kind == "f":
        if low >= -1 and high <= 1:
            black = -1 if low < 0 else 0
            return Scale(black, 1), f"of the values of {where}, {dtype}, {black} is taken for black and 1 for white"
    elif low >= 0 and high <= 255:
        if high == 1:
            return Scale(
                0, 1
            ), f"of the values of {where}, which are 0 and 1 alone, 0 is taken for black and 1 for white"
        return AS_THEY_ARE, ""
    raise DatasetError(
        f"the values of {where}, {dtype} from {low:g} to {high:g}, do not say what is black and what is white: "
        "store them as uint8 from 0 to 255, or as floats from 0 to 1"
    )
