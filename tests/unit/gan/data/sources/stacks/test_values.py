"""What of an array's values is black and white."""

import numpy as np
import pytest

from gan.data.files.blob import Blob
from gan.data.records import PART_BYTES
from gan.data.sources.stacks.header import Header
from gan.data.sources.stacks.values import AS_THEY_ARE, Scale, chunks, find_scale, to_uint8, value_range
from gan.errors import DatasetError


def lying(tmp_path, array):
    (tmp_path / "values").write_bytes(b"head" + array.tobytes())
    return Blob(str(tmp_path / "values"), array.nbytes, 4), Header(array.dtype, array.shape, False, 4)


def scale_of(tmp_path, array):
    low, high = value_range(*lying(tmp_path, array), "x")
    return find_scale(low, high, array.dtype, "x in set.npz")


@pytest.mark.parametrize("dtype", [np.uint8, ">u2", np.int32, np.uint64])
def test_whole_numbers_within_a_byte_are_taken_as_they_are(tmp_path, dtype):
    assert scale_of(tmp_path, np.array([[0, 255], [3, 4]], dtype)) == (AS_THEY_ARE, "")
    assert scale_of(tmp_path, np.array([[0, 0]], dtype)) == (AS_THEY_ARE, "")


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.int64])
def test_zeros_and_ones_are_black_and_white(tmp_path, dtype):
    scale, note = scale_of(tmp_path, np.array([[0, 1]], dtype))
    assert to_uint8(np.array([0, 1], dtype), scale).tolist() == [0, 255]
    assert "0 and 1 alone" in note


@pytest.mark.parametrize(
    ("values", "scale", "pixels"),
    [
        ([0, 0.5, 1], Scale(0, 1), [0, 128, 255]),
        ([0.2, 0.4], Scale(0, 1), [51, 102]),
        ([-1, 0, 1], Scale(-1, 1), [0, 128, 255]),
        ([-0.5, 0.25], Scale(-1, 1), [64, 159]),
    ],
)
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
def test_floats_of_the_usual_ranges_are_spread_over_a_byte(tmp_path, values, scale, pixels, dtype):
    array = np.array(values, dtype)
    found, note = scale_of(tmp_path, array)
    assert found == scale
    assert f"{scale.black} is taken for black and 1 for white" in note
    assert np.abs(to_uint8(array, found).astype(int) - pixels).max() <= (1 if dtype == "<f2" else 0)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.array([0, 4095], np.uint16), "uint16 from 0 to 4095"),
        (np.array([-1, 200], np.int16), "int16 from -1 to 200"),
        (np.array([0.0, 255.0]), "float64 from 0 to 255"),
        (np.array([-3.5, 2.25], np.float32), "float32 from -3.5 to 2.25"),
        (np.array([0.0, np.nan]), "float64 from nan to nan"),
        (np.array([0.0, np.inf]), "float64 from 0 to inf"),
    ],
)
def test_other_ranges_are_named_and_refused(tmp_path, array, said):
    with pytest.raises(DatasetError, match=f"the values of x in set.npz, {said}, do not say what is black") as caught:
        scale_of(tmp_path, array)
    assert "store them as uint8" in str(caught.value)


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
