"""Parquet: the bytes of a dataset's shards."""

import pyarrow.parquet as pq
import pytest

from gan.data.store.shards import read_column, write_shards
from gan.errors import DatasetError
from gan.release.formats import parquet
from gan.release.shard import Marks


def test_without_marks_a_shard_is_as_write_shards_makes_it(shard_of, tmp_path):
    images, shard = shard_of("parquet", marks=Marks())
    (path,) = write_shards(
        tmp_path, "train", images, shard.labels, class_names=shard.class_names, extra={"seed": shard.seeds}
    )
    assert list(parquet.files(shard)) == [(path.name, path.read_bytes())]


def test_marks_stand_in_the_metadata_and_change_no_column(shard_of, written):
    _, shard = shard_of("parquet")
    folder = written("parquet", shard)
    assert read_column(folder, "train", "seed") == shard.seeds.tolist()
    metadata = pq.read_schema(folder / "train-00000-of-00001.parquet").metadata
    assert metadata[b"about"] == "é".encode()
    assert b"huggingface" in metadata


def test_columns_of_other_types_are_explained(tmp_path):
    import pyarrow as pa

    path = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(pa.table({"image": [1], "label": [2], "seed": [3]}), path)
    with pytest.raises(DatasetError, match="is broken"):
        list(parquet.rows(path))
