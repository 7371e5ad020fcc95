"""Parquet shards: round trip, layout, equal bytes, broken files."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gan.data.pixels.png import encode_pngs
from gan.data.store import shards
from gan.data.store.shards import (
    dataset_schema,
    read_column,
    read_digests,
    read_split,
    row_group,
    rows_of_group,
    rows_of_shard,
    shard_name,
    shard_paths,
    shard_schema,
    split_rows,
    write_shard,
    write_shards,
)
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


def test_digests_and_labels_are_read_without_the_images(folder):
    for index, path in enumerate(shard_paths(folder, "train")):
        digests, labels = read_digests(path)
        rows = slice(index * 10, min(25, index * 10 + 10))
        assert digests.tolist() == [hashlib.sha256(image.tobytes()).digest() for image in IMAGES[rows]]
        assert (labels.dtype, labels.tolist()) == (np.int64, LABELS[rows].tolist())


def test_the_schema_of_a_shard_is_the_dataset_s(folder):
    (first, *_) = shard_paths(folder, "train")
    assert shard_schema(first).equals(dataset_schema(["cat", "dog"]), check_metadata=True)
    assert not shard_schema(first).equals(dataset_schema(["cat", "cow"]), check_metadata=True)


@pytest.mark.parametrize(
    ("image_bytes", "shard", "group"),
    [(64, 10_000, 1000), (2**16, 10_000, 1000), (2**17, 8192, 512), (3 * 2**20, 341, 21), (2**40, 1, 1)],
)
def test_large_images_make_small_shards_and_row_groups(image_bytes, shard, group):
    assert (rows_of_shard(image_bytes), rows_of_group(image_bytes)) == (shard, group)


def test_row_groups_are_cut_at_their_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_GROUP_BYTES", 4 * IMAGES[0].nbytes)
    (path,) = write_shards(tmp_path, "train", IMAGES[:10], LABELS[:10])
    groups = pq.ParquetFile(path).metadata
    assert [groups.row_group(index).num_rows for index in range(groups.num_row_groups)] == [4, 4, 2]


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
    for read in (together, lambda _: read_digests(path), lambda _: shard_schema(path)):
        with pytest.raises(DatasetError, match="train-00001-of-00003"):
            read(folder)


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


def test_an_image_that_is_not_what_its_digest_says_is_noticed(tmp_path):
    schema = dataset_schema([])
    pngs = encode_pngs(IMAGES[:2])
    digests = [hashlib.sha256(image.tobytes()).digest() for image in (IMAGES[0], IMAGES[2])]
    write_shard(tmp_path / shard_name("train", 0, 1), [row_group(pngs, digests, {"label": [0, 0]}, schema)], schema)
    with pytest.raises(DatasetError, match="an image does not have the sha256 beside it"):
        together(tmp_path)


def test_a_foreign_parquet_file_is_explained(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match="no column image"):
        together(tmp_path)
    row = {"image": [{"bytes": None, "path": "a"}], "label": ["x"], "sha256": [1]}
    pq.write_table(pa.table(row), tmp_path / "train-00000-of-00001.parquet")
    with pytest.raises(DatasetError, match="is broken"):
        together(tmp_path)


def test_a_text_that_is_none_is_noticed_by_every_reader(tmp_path):
    digests = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"], pa.binary()).buffers())
    image = pa.array([{"bytes": encode_pngs(IMAGES[:1])[0], "path": "x"}])
    path = tmp_path / "train-00000-of-00001.parquet"
    pq.write_table(pa.table({"image": image, "label": [0], "sha256": digests}), path)
    for read in (
        lambda: read_column(tmp_path, "train", "sha256"),
        lambda: read_digests(path),
        lambda: list(read_split(tmp_path, "train")),
    ):
        with pytest.raises(DatasetError, match="is broken"):
            read()
