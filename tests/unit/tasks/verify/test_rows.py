"""Rows of a release, as they lie in its files."""

import contextlib
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing.releases import MARK, drawn, release
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import DatasetError
from tasks.verify.files import read_stated
from tasks.verify.record import Stated
from tasks.verify.rows import mark_of, pixels_of, row_files, rows

STATED = Stated.model_validate(
    {
        "name": "v3-001",
        "model": {"name": "gan-generator", "version": 3, "run_id": "r"},
        "generation": {"num_images": 12, "batch_size": 8},
        "image": {"height": 8, "width": 8, "channels": 1},
        "counts": {"a": 12},
        "files": {},
    }
)
FIRST = "train-00000-of-00002.parquet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return release(tmp_path_factory.mktemp("synthetic") / "v3-001")


def test_the_rows_come_in_order_from_all_shards(folder):
    stated = read_stated((folder / "manifest.json").read_bytes())
    names = row_files(stated)
    assert names == [FIRST, "train-00001-of-00002.parquet"]
    found = [row for name in names for row in rows(folder, name, stated)]
    assert [row.file for row in found] == [FIRST] * 12 + [names[1]] * 13
    images, labels, seeds = drawn()
    assert [row.seed for row in found] == seeds.tolist()
    assert [row.label for row in found] == labels.tolist()
    assert all((pixels_of(row, stated) == image).all() for row, image in zip(found, images, strict=True))
    assert {mark_of(row, stated) for row in found} == {MARK.source}


@pytest.mark.parametrize("column", ["image", "label", "seed", "sha256"])
@pytest.mark.parametrize("what", ["other", "null", "none"])
def test_columns_of_other_types(folder, tmp_path, column, what):
    table = pq.read_table(folder / FIRST)
    at = table.schema.get_field_index(column)
    if what == "none":
        table = table.remove_column(at)
    else:
        values = ["x" if what == "other" and column != "sha256" else None] * len(table)
        table = table.set_column(
            at, column, pa.array([1] * len(table) if values[0] is None and what == "other" else values)
        )
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=r"^a\.parquet is broken \("):
        list(rows(tmp_path, "a.parquet", STATED))


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DatasetError, match="is broken"):
        list(rows(tmp_path, "a.parquet", STATED))


@given(st.data())
def test_damage_is_an_error_or_rows(folder, tmp_path_factory, data):
    content = io.BytesIO((folder / FIRST).read_bytes()).getbuffer()
    # Not in the footer: pyarrow ends the process on some of those.
    place = data.draw(st.integers(4, len(content) - 3000))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.parquet"
    path.write_bytes(content)
    with contextlib.suppress(DatasetError):
        assert len(list(rows(path.parent, path.name, STATED))) == 12
