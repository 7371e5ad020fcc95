"""What of an array's values is black and white."""

import numpy as np
import pytest

from gan.data.files.blob import Blob
from gan.data.records import PART_BYTES
from gan.data.sources.stacks.header import Header
from gan.data.sources.stacks.values import AS_THEY_ARE, Reading, chunks, find_reading, value_range
from gan.errors import DatasetError


def lying(tmp_path, array):
    (tmp_path / "values").write_bytes(b"head" + array.tobytes())
    return Blob(str(tmp_path / "values"), array.nbytes, 4), Header(array.dtype, array.shape, False, 4)


def reading_of(tmp_path, *arrays):
    ranges = [value_range(*lying(tmp_path, array), "x") for array in arrays]
    return find_reading(ranges, arrays[0].dtype, "x in set.npz")


@pytest.mark.parametrize("dtype", [np.uint8, ">u2", np.int32, np.uint64])
def test_whole_numbers_within_a_byte_are_taken_as_they_are(tmp_path, dtype):
    values = np.array([[0, 255], [3, 4]], dtype)
    assert reading_of(tmp_path, values) == (AS_THEY_ARE, "")
    assert reading_of(tmp_path, np.array([[0, 0]], dtype)) == (AS_THEY_ARE, "")
    found = AS_THEY_ARE.of(values)
    assert (found.dtype, found.tolist()) == (np.uint8, values.tolist())


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.int64])
def test_zeros_and_ones_are_black_and_white(tmp_path, dtype):
    reading, note = reading_of(tmp_path, np.array([[0, 1]], dtype))
    assert reading.of(np.array([0, 1], dtype)).tolist() == [0, 255]
    assert "0 and 1 alone" in note


@pytest.mark.parametrize(
    ("values", "dtype", "kept"),
    [
        ([0, 4095], np.uint16, "uint16"),
        ([0, 4095], ">i8", "uint16"),
        ([0, 2**20], np.int64, "uint32"),
        ([0, 2**40], np.uint64, "uint64"),
        ([-128, 127], np.int8, "int8"),
        ([-1, 200], np.int64, "int16"),
        ([-(2**40), 0], np.int64, "int64"),
        ([7.0, 255.0], ">f4", "float32"),
        ([0.0, 1.0], np.float16, "float16"),
        ([-1.0, np.nan], np.float64, "float64"),
        ([np.nan, np.nan], np.float64, "float64"),
    ],
)
def test_other_values_wait_for_a_window_as_the_narrowest_type_of_all(tmp_path, values, dtype, kept):
    array = np.array(values, dtype)
    reading, note = reading_of(tmp_path, array[:1], array)
    assert (reading, note) == (Reading(deep=kept), "")
    found = reading.of(array)
    assert found.dtype == np.dtype(kept)
    np.testing.assert_array_equal(found, array)


def test_floats_on_two_scales_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"some of x in set\.npz hold values within -1 to 1, others not"):
        reading_of(tmp_path, np.array([0.0, 1.0]), np.array([0.0, 200.0]))


def test_nothing_of_an_array_is_overlooked(tmp_path):
    array = np.zeros((3, PART_BYTES // 8), np.float32)
    array[2, -1] = 7
    place = lying(tmp_path, array)
    assert value_range(*place, "x") == (0, 7)
    assert sum(len(rows) for rows in chunks(*place, "x")) == 3
    assert max(rows.nbytes for rows in chunks(*place, "x")) <= PART_BYTES
    (tmp_path / "values").write_bytes(b"head")
    with pytest.raises(DatasetError, match="x cannot be read"):
        value_range(*place, "x")
