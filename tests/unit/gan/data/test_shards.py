"""Parquet shards: round trip, layout, equal bytes, broken files."""

import hashlib
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from gan.data.shards import read_column, read_split, split_rows, write_shards
from gan.errors import DatasetError

IMAGES = np.random.default_rng(0).integers(0, 256, (25, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(25) % 2


@pytest.fixture
def folder(tmp_path):
    write_shards(tmp_path, "train", IMAGES, LABELS, class_names=["cat", "dog"], shard_rows=10)
    return tmp_path


def together(folder, split="train"):
    images, labels = zip(*read_split(folder, split), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def test_images_and_labels_come_back_in_order(folder):
    images, labels = together(folder)
    assert np.array_equal(images, IMAGES)
    assert np.array_equal(labels, LABELS)
    assert labels.dtype == np.int64
    assert split_rows(folder, "train") == 25


def test_shards_have_the_documented_names_and_columns(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        f"train-0000{index}-of-00003.parquet" for index in range(3)
    ]
    table = pq.read_table(folder / "train-00000-of-00003.parquet")
    assert table.num_rows == 10
    assert table.schema.names == ["image", "label", "sha256"]
    row = table.slice(0, 1).to_pylist()[0]
    digest = hashlib.sha256(IMAGES[0].tobytes()).hexdigest()
    assert row["sha256"] == digest
    assert row["image"]["path"] == f"{digest[:16]}.png"
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"_type": "ClassLabel", "names": ["cat", "dog"]}


def test_no_classes_make_the_label_a_plain_number_and_further_columns_are_kept(tmp_path):
    write_shards(tmp_path, "train", IMAGES[:3], [-1] * 3, extra={"seed": [5, 6, 2**62]})
    assert read_column(tmp_path, "train", "seed") == [5, 6, 2**62]
    assert read_column(tmp_path, "train", "label") == [-1] * 3
    metadata = pq.read_schema(tmp_path / "train-00000-of-00001.parquet").metadata
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == features["seed"] == {"_type": "Value", "dtype": "int64"}


def test_equal_images_give_equal_bytes_and_full_shards_stay_when_images_are_added(folder, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    images = [*IMAGES, IMAGES[0]]
    write_shards(more, "train", images, [*LABELS, 0], class_names=["cat", "dog"], shard_rows=10)
    for index in (0, 1):
        name = f"train-0000{index}-of-00003.parquet"
        assert (folder / name).read_bytes() == (more / name).read_bytes()


def test_a_missing_shard_or_split_is_explained(folder):
    (folder / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(DatasetError, match="no complete set"):
        split_rows(folder, "train")
    with pytest.raises(DatasetError, match="has no test"):
        list(read_split(folder, "test"))


@pytest.mark.parametrize("kept", [0, 3, 500, -1])
def test_a_shard_cut_short_is_named(folder, kept):
    path = folder / "train-00001-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DatasetError, match="train-00001-of-00003"):
        together(folder)


def test_changed_bytes_never_change_an_image_unnoticed(folder):
    path = folder / "train-00001-of-00003.parquet"
    whole = path.read_bytes()
    found = []
    for place in np.random.default_rng(1).integers(4, len(whole) - 8, 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            images, _ = together(folder)
            assert np.array_equal(images, IMAGES)  # the byte was in a path, say
        except DatasetError as error:
            found.append(str(error))
    assert len(found) > 30
    assert all(path.name in message for message in found)


def test_a_foreign_parquet_file_is_explained(tmp_path):
    import pyarrow as pa

    pq.write_table(pa.table({"x": [1]}), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match="no column image"):
        together(tmp_path)
    row = {"image": [{"bytes": None, "path": "a"}], "label": ["x"], "sha256": [1]}
    pq.write_table(pa.table(row), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match="is broken"):
        together(tmp_path)
