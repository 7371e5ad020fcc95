"""Arrow arrays from buffers: `pyarrow.array` and `to_numpy` load pandas first, which takes as long as 3,000 images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_DTYPES = {pa.int8(): np.int8, pa.int32(): np.int32, pa.int64(): np.int64, pa.uint64(): np.uint64}


def to_arrow(values: Sequence[Any] | NDArray[Any], type: pa.DataType) -> pa.Array:
    """Return an array without nulls.

    Args:
        values: numbers; bytes or texts; for a list of fixed size, lists of numbers.
        type: a whole number's, `binary`, `string`, `binary(n)` or `list_(number, n)`.
    """
    if type in _DTYPES:
        buffer = pa.py_buffer(np.ascontiguousarray(values, dtype=_DTYPES[type]))
        return pa.Array.from_buffers(type, len(values), [None, buffer])
    if pa.types.is_fixed_size_list(type):
        flat = np.ascontiguousarray(values, dtype=_DTYPES[type.value_type]).reshape(-1)
        return pa.FixedSizeListArray.from_arrays(to_arrow(flat, type.value_type), type.list_size)
    parts = [value.encode("utf-8") for value in values] if pa.types.is_string(type) else values
    joined = pa.py_buffer(b"".join(parts))
    if pa.types.is_fixed_size_binary(type):
        return pa.Array.from_buffers(type, len(values), [None, joined])
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    assert ends[-1] < 2**31, "tables are cut before they are so large"
    return pa.Array.from_buffers(type, len(values), [None, pa.py_buffer(ends.astype(np.int32)), joined])


def to_numpy(column: pa.ChunkedArray) -> NDArray[np.generic]:
    """Return a column of one chunk without nulls: numbers as they are, `binary(32)` as S32, lists as `[n, size]`."""
    array = column.chunk(0)
    if pa.types.is_fixed_size_binary(array.type):
        return np.frombuffer(array.buffers()[1], "S32", len(array))
    if pa.types.is_fixed_size_list(array.type):
        values = array.values  # `flatten` would load all of Arrow's functions
        return np.frombuffer(values.buffers()[1], _DTYPES[values.type], len(values)).reshape(len(array), -1)
    return np.frombuffer(array.buffers()[1], _DTYPES[array.type], len(array))
