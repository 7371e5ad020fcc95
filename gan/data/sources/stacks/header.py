"""What a `.npy` file says of its array before its values; it may lie, so nothing is allocated by it."""

import io
import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike

MAGIC = b"\x93NUMPY"
HEADER_BYTES = 10_240  # more than any header of an array without fields


class Header(NamedTuple):
    """An array in a file.

    Attributes:
        dtype: of its values: booleans, whole numbers, floats of at most 64 bits, or texts.
        shape: its sizes.
        fortran: whether the first index is the one that runs fastest.
        begin: bytes of the file before its values.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran: bool
    begin: int

    @property
    def row_bytes(self) -> int:
        """Bytes of the values under one first index."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize


def read_header(head: bytes, size: int) -> Header:
    """Read the header of a `.npy` file.

    Args:
        head: the first `HEADER_BYTES` of the file, or all of it.
        size: bytes of the file.

    Raises:
        ValueError: it is none, holds values of another sort, or is not as long as it says; the message says so.
    """
    if not head.startswith(MAGIC):
        raise ValueError("no NumPy array")
    shape, fortran, dtype, begin = _parsed(head)
    if dtype.hasobject:
        raise ValueError("an array of Python objects, which are pickled and never read")
    largest = {**dict.fromkeys("buif", 8), **dict.fromkeys("US", 4096)}  # bytes of a number, and of a text
    if not 0 < dtype.itemsize <= largest.get(dtype.kind, 0):
        raise ValueError(f"an array of {str(dtype)[:40]}, neither numbers nor short texts")
    wanted = begin + math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or wanted != size:
        raise ValueError(f"{size:,} bytes, where its header tells of {max(0, wanted):,}")
    return Header(dtype, shape, fortran and len(shape) > 1, begin)


def _parsed(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    file = io.BytesIO(head)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            if version not in {(1, 0), (2, 0)}:
                raise ValueError(f"version {version}")
            shape, fortran, found = read(file, max_header_size=HEADER_BYTES)
        dtype: DTypeLike = found
        return shape, fortran, np.dtype(dtype), file.tell()
    except Exception:  # on hostile headers NumPy and Python's parser raise nearly any type
        raise ValueError("a NumPy array with a header that cannot be read") from None
