"""IDX, CIFAR and Parquet files that are cut short, lie about their size, or hold labels that are none."""

import gzip
import os
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gan.data.store.shards import dataset_schema, write_shards

pytestmark = pytest.mark.integration

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx_files(count=24, side=8):
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (count, side, side), np.uint8)
    labels = np.arange(count, dtype=np.uint8) % 2
    return {
        IMAGES: struct.pack(">4I", 0x803, count, side, side) + pixels.tobytes(),
        LABELS: struct.pack(">2I", 0x801, count) + labels.tobytes(),
    }


def idx(zoo, changes, name="set"):
    root = zoo.given / name
    root.mkdir()
    for file, data in {**idx_files(), **changes}.items():
        if data is not None:
            (root / file).write_bytes(data)
    return root


def test_good_idx_files_are_taken_packed_or_not(zoo):
    files = idx_files()
    plain = zoo.ingest(idx(zoo, {}))
    packed = {IMAGES: None, LABELS: None} | {f"{name}.gz": gzip.compress(data) for name, data in files.items()}
    assert zoo.ingest(idx(zoo, packed, "packed")).pixels == plain.pixels
    assert (plain.info.num_train + plain.info.num_test, plain.info.source_kind) == (24, "idx")


whole = idx_files()
BAD_IDX = {
    "images: nothing": {IMAGES: b""},
    "images: cut in the header": {IMAGES: whole[IMAGES][:9]},
    "images: cut in the middle": {IMAGES: whole[IMAGES][:900]},
    "images: one byte short": {IMAGES: whole[IMAGES][:-1]},
    "images: one byte too many": {IMAGES: whole[IMAGES] + b"\0"},
    "images: magic of another type": {IMAGES: b"\0\0\x0d\x03" + whole[IMAGES][4:]},
    "images: labels instead": {IMAGES: whole[LABELS]},
    "images: text": {IMAGES: b"no images\n" * 100},
    "images: 2^96 bytes": {IMAGES: struct.pack(">4I", 0x803, *[2**32 - 1] * 3) + b"x" * 99},
    "images: no rows": {IMAGES: struct.pack(">4I", 0x803, 24, 0, 8)},
    "images: no images": {IMAGES: struct.pack(">4I", 0x803, 0, 8, 8), LABELS: struct.pack(">2I", 0x801, 0)},
    "labels: fewer than images": {LABELS: struct.pack(">2I", 0x801, 20) + bytes(20)},
    "labels: more than images": {LABELS: struct.pack(">2I", 0x801, 30) + bytes(30)},
    "labels: cut short": {LABELS: whole[LABELS][:-3]},
    "labels: absent": {LABELS: None},
    "labels: images instead": {LABELS: whole[IMAGES]},
}


@pytest.mark.parametrize("what", BAD_IDX)
def test_idx_files_that_cannot_be_true(zoo, what):
    message = zoo.refuse(idx(zoo, BAD_IDX[what]))
    named = LABELS if what.startswith("labels") and what != "labels: absent" else IMAGES
    assert named in message
    assert str(zoo.given) in message


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.95, 1.0])
def test_packed_idx_files_cut_short(zoo, share):
    packed = gzip.compress(whole[IMAGES], mtime=0)
    bad = packed[: int(len(packed) * share)] if share < 1 else packed[:-1]
    assert f"{IMAGES}.gz" in zoo.refuse(idx(zoo, {IMAGES: None, f"{IMAGES}.gz": bad}))


def test_a_packed_idx_file_that_swells_or_is_damaged(zoo):
    blocks = gzip.compress(struct.pack(">4I", 0x803, 24, 8, 8)) + gzip.compress(bytes(2**20)) * 80
    message = zoo.refuse(idx(zoo, {IMAGES: None, f"{IMAGES}.gz": blocks}))
    assert "would unpack to more than 200 times its" in message
    damaged = bytearray(gzip.compress(whole[IMAGES], mtime=0))
    damaged[len(damaged) // 2] ^= 0xFF
    message = zoo.refuse(idx(zoo, {IMAGES: None, f"{IMAGES}.gz": bytes(damaged)}, "damaged"))
    assert f"{IMAGES}.gz in {zoo.given}/damaged is broken" in message


def test_an_idx_file_that_is_a_link_or_a_pipe(zoo):
    root = idx(zoo, {LABELS: None})
    (root / LABELS).symlink_to("/etc/passwd")
    assert LABELS in zoo.refuse(root)
    (root / LABELS).unlink()
    os.mkfifo(root / LABELS)
    assert LABELS in zoo.refuse(root)


def test_the_idx_files_of_two_sets_in_two_folders(zoo):
    """As torchvision lays them out: the second must not take the place of the first in silence."""
    root = zoo.given / "torchvision"
    for name in ("FashionMNIST", "MNIST"):
        (root / name / "raw").mkdir(parents=True)
        for file, data in idx_files().items():
            (root / name / "raw" / file).write_bytes(data)
    assert "several IDX datasets" in zoo.refuse(root)


def cifar_record(zoo, seed, label, extra=b""):
    return extra + bytes([label]) + zoo.pixels(seed, 32, 32).transpose(2, 0, 1).tobytes()


def cifar(zoo, files, name="set"):
    root = zoo.given / name
    root.mkdir()
    good = b"".join(cifar_record(zoo, seed, seed % 2) for seed in range(24))
    for file, data in {"data_batch_1.bin": good, **files}.items():
        (root / file).write_bytes(data)
    return root


def test_cifar_labels_out_of_range(zoo):
    more = b"".join(cifar_record(zoo, 100 + label, label) for label in (200, 10, 0, 255))
    outcome = zoo.ingest(cifar(zoo, {"data_batch_2.bin": more}), resolution=32)
    assert outcome.rejects == {f"data_batch_2.bin/{index}": "label out of range" for index in (0, 1, 3)}
    assert outcome.details["data_batch_2.bin/0"] == "200 with 10 classes"
    assert outcome.has([*(zoo.pixels(seed, 32, 32) for seed in range(24)), zoo.pixels(100, 32, 32)])


def test_cifar_100_labels_out_of_range(zoo):
    records = {"train.bin": range(24), "test.bin": range(24, 30)}
    root = zoo.given / "set"
    root.mkdir()
    for file, seeds in records.items():
        # 19 is the coarse label; the fine one of the last training image is none.
        data = b"".join(cifar_record(zoo, seed, 200 if seed == 23 else seed % 2, b"\x13") for seed in seeds)
        (root / file).write_bytes(data)
    outcome = zoo.ingest(root, resolution=32)
    assert outcome.rejects == {"train.bin/23": "label out of range"}
    assert (outcome.info.num_train, outcome.info.num_test, outcome.info.split) == (23, 6, "source")


@pytest.mark.parametrize("size", [0, 1, 3072, 3074, 3073 * 2 - 1])
def test_cifar_files_with_a_part_of_a_record(zoo, size):
    bad = cifar_record(zoo, 200, 0) * 2
    message = zoo.refuse(cifar(zoo, {"data_batch_2.bin": bad[:size]}), resolution=32)
    assert f"data_batch_2.bin in {zoo.given}/set" in message


def test_cifar_names_that_are_none(zoo):
    good = zoo.ingest(cifar(zoo, {"batches.meta.txt": b""}), resolution=32)
    assert good.info.class_names == ("airplane", "automobile")
    names = b"\xff\xfe\ncat\r\n\r\n" + b"x" * 300
    odd = zoo.ingest(cifar(zoo, {"batches.meta.txt": names}, "odd"), resolution=32)
    assert odd.info.class_names == ("\ufffd\ufffd", "cat")
    huge = zoo.ingest(cifar(zoo, {"batches.meta.txt": b"x" * 10**6}, "huge"), resolution=32)
    assert huge.info.class_names == ("airplane", "automobile")


def parquet(zoo, tmp, damage=lambda data: data, images=None, labels=None, names=("cat", "dog")):
    """A folder with a Parquet file of 24 images, and one more of the same kind that is treated by `damage`."""
    root = zoo.given / "set"
    root.mkdir(exist_ok=True)
    write_shards(root, "train", zoo.good, np.arange(24) % 2, class_names=names)
    rows = [zoo.encode(zoo.pixels(seed)) for seed in range(4)] if images is None else images
    schema = dataset_schema(names)
    table = pa.table(
        {
            "image": pa.array([{"bytes": row, "path": None} for row in rows], schema.field("image").type),
            "label": pa.array([0] * len(rows) if labels is None else labels, pa.int64()),
        }
    )
    pq.write_table(table.replace_schema_metadata(schema.metadata), tmp / "more.parquet", compression="none")
    (root / "train-more.parquet").write_bytes(damage((tmp / "more.parquet").read_bytes()))
    return root


def test_parquet_rows_that_are_no_images_or_have_no_class(zoo, tmp_path_factory):
    good = [zoo.encode(zoo.pixels(seed)) for seed in range(3)]
    images = [good[0], None, b"", b"no image", good[1][:50], good[2]]
    root = parquet(zoo, tmp_path_factory.mktemp("elsewhere"), images=images, labels=[0, 0, 0, 0, 0, 7])
    outcome = zoo.ingest(root)
    assert outcome.has([*zoo.good, zoo.pixels(0)])
    reasons = {path.rsplit("/", 1)[-1]: reason for path, reason in outcome.rejects.items()}
    assert set(reasons) == {"1", "2", "3", "4", "5"}
    assert (reasons["2"], reasons["3"], reasons["5"]) == ("empty file", "not an image", "label out of range")
    assert all("train-more.parquet" in path for path in outcome.rejects)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:3],
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:4] + bytes(len(data) - 8) + data[-4:],
        lambda data: data[:-8] + b"\xff\xff\xff\x7f" + data[-4:],
        lambda data: b"no Parquet at all\n" * 50,
        lambda data: b"PAR1" + b"\x15" * 3000 + struct.pack("<I", 3000) + b"PAR1",
    ],
)
def test_parquet_files_that_are_broken(zoo, tmp_path_factory, damage):
    assert "train-more.parquet" in zoo.refuse(parquet(zoo, tmp_path_factory.mktemp("elsewhere"), damage))


def test_parquet_pages_that_are_broken_cost_their_rows_alone(zoo, tmp_path_factory):
    def damage(data):
        return data[:4] + b"\xff" * 300 + data[304:]

    outcome = zoo.ingest(parquet(zoo, tmp_path_factory.mktemp("elsewhere"), damage))
    assert outcome.has(zoo.good)
    assert len(outcome.rejects) == 4
    assert all("train-more.parquet" in path for path in outcome.rejects)


def test_a_table_without_images_and_one_without_rows(zoo):
    path = zoo.given / "numbers.parquet"
    pq.write_table(pa.table({"a": [1.5, 2.5], "b": ["x", "y"]}), path)
    assert str(path) in zoo.refuse(path)
    pq.write_table(pa.table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}), path)
    assert str(path) in zoo.refuse(path)


def test_arrays_in_an_archive_with_a_member_damaged(zoo):
    path = zoo.given / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in idx_files().items():
            archive.writestr(f"raw/{file}", data)
    assert zoo.ingest(path).info.source_kind == "idx"
    data = bytearray(path.read_bytes())
    data[data.index(b"raw/" + IMAGES.encode()) + 500] ^= 1
    path.write_bytes(data)
    assert IMAGES in zoo.refuse(path)
