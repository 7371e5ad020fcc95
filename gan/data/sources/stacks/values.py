"""What an array's values are: bytes, or such whose range a window of the whole dataset chooses."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan.data.files.blob import Blob, UnreadableError, read_blob
from gan.data.records import PART_BYTES
from gan.data.sources.stacks.header import Header
from gan.errors import DatasetError


class Reading(NamedTuple):
    """What an array's values are.

    Attributes:
        white: of bytes, the value that is white: 255, or 1 where they are 0 and 1 alone.
        deep: of other values, the type that they are kept as until the dataset's window is known; else nothing.
    """

    white: int = 255
    deep: str = ""

    def of(self, values: NDArray[np.generic]) -> NDArray[Any]:
        """Return values as uint8, or as they are where a window has to be found; contiguous."""
        found = values.astype(self.deep or np.uint8, order="C")
        return found if self.white == 255 else found * np.uint8(255)


AS_THEY_ARE = Reading()
_WIDER = {"unsigned": ("uint16", "uint32"), "signed": ("int8", "int16", "int32")}


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
    """Return the smallest and the largest finite value; of bytes, enough to tell that there are more than 0 and 1.

    Raises:
        DatasetError: they cannot be read.
    """
    low, high = float("inf"), float("-inf")
    for values in chunks(file, header, where):
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        if header.dtype == np.uint8 and high > 1:
            break
    return low, high


def find_reading(ranges: Iterable[tuple[float, float]], dtype: np.dtype[np.generic], where: str) -> tuple[Reading, str]:
    """Tell what arrays of a type are by the smallest and the largest value of each.

    Args:
        ranges: smallest and largest value of each array.
        dtype: what values are stored as.
        where: what holds them.

    Returns:
        What they are, and a note where it is not what the values themselves say.

    Raises:
        DatasetError: floats of one array lie within -1 to 1, and those of another do not.
    """
    lows, highs = zip(*ranges, strict=True)
    low, high = min(lows), max(highs)
    if dtype.kind == "f":
        if len({least >= -1 and most <= 1 for least, most in zip(lows, highs, strict=True)}) > 1:
            raise DatasetError(f"some of {where} hold values within -1 to 1, others not: store all on one scale")
        return Reading(deep=dtype.name), ""
    if low >= 0 and high <= 255:
        if high == 1:
            note = f"of the values of {where}, which are 0 and 1 alone, 0 is taken for black and 1 for white"
            return Reading(1), note
        return AS_THEY_ARE, ""
    kept = (
        name
        for name in _WIDER["unsigned" if low >= 0 else "signed"]
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max
    )
    return Reading(deep=next(kept, dtype.name)), ""
