"""The files of a version as they lie in DVC's cache, where a disk may have altered them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gan.errors import DatasetError
from tasks.dataset.contents import read_version


@pytest.mark.parametrize("info", [b"\xff", b"[" * 100_000, b"[]", b'{"class_names": [1]}', b'{"class_names": 3}'])
def test_a_description_that_makes_no_sense_is_refused(tmp_path, info):
    (tmp_path / "dataset.json").write_bytes(info)
    with pytest.raises(DatasetError, match=r"dataset\.json of dataset md5 is broken in the cache"):
        read_version("md5", {"dataset.json": tmp_path / "dataset.json"}, {})


@pytest.mark.parametrize("label", [pa.array([2**62], pa.timestamp("us")), pa.array([-2]), pa.array([[1]]), pa.nulls(1)])
def test_columns_of_other_types_are_refused(tmp_path, label):
    (tmp_path / "dataset.json").write_text("{}")
    name = "train-00000-of-00001.parquet"
    pq.write_table(pa.table({"label": label, "sha256": ["ab" * 32]}), tmp_path / name)
    with pytest.raises(DatasetError, match="of dataset md5 is broken in the cache"):
        read_version("md5", {each: tmp_path / each for each in ("dataset.json", name)}, {})
