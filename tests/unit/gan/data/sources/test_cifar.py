"""CIFAR's binary files."""

import pickle

import numpy as np
import pytest

from gan.data.files.tree import folder_tree
from gan.data.records import PART_IMAGES, Reject, read_all
from gan.data.sources.cifar import CifarSource, is_cifar
from gan.errors import DatasetError

CIFAR_10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def images_of(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def write(path, images, *labels):
    """Write records: label bytes, then red, green and blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [np.array(each, np.uint8).reshape(-1, 1) for each in labels]
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    path.write_bytes(np.concatenate([*columns, planes], axis=1).tobytes())


@pytest.fixture
def ten(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    for batch in (1, 2):
        write(folder / f"data_batch_{batch}.bin", images_of(4, batch), [3, 1, 9, 0])
    write(folder / "test_batch.bin", images_of(2, 9), [5, 6])
    (folder / "readme.html").write_text("")
    return folder


def opened(folder, tmp_path):
    return CifarSource(folder_tree(folder), tmp_path / "scratch")


def test_ten_classes_in_several_batches(ten, tmp_path):
    source = opened(ten, tmp_path)
    records = list(read_all(source))
    assert (source.name, source.kind, source.has_split) == ("cifar-10-batches-bin", "cifar", True)
    assert source.class_names == CIFAR_10
    assert len(source) == len(records) == 10
    assert [record.path for record in records[3:5]] == ["data_batch_1.bin/3", "data_batch_2.bin/0"]
    assert [record.split for record in records] == ["train"] * 8 + ["test"] * 2
    assert [record.label for record in records] == [3, 1, 9, 0] * 2 + [5, 6]
    expected = np.concatenate([images_of(4, 1), images_of(4, 2), images_of(2, 9)])
    assert np.array_equal(np.stack([record.pixels for record in records]), expected)


def test_a_hundred_classes_have_two_labels_of_which_the_fine_one_counts(tmp_path):
    for name, count in (("train", 3), ("test", 2)):
        write(tmp_path / "set" / f"{name}.bin", images_of(count, count), [0] * count, range(40, 40 + count))
    source = opened(tmp_path / "set", tmp_path)
    assert source.class_names == tuple(map(str, range(100)))
    assert [(record.label, record.split) for record in read_all(source)] == [
        (40, "train"),
        (41, "train"),
        (42, "train"),
        (40, "test"),
        (41, "test"),
    ]
    assert np.array_equal(next(read_all(source)).pixels, images_of(3, 3)[0])


def test_names_beside_the_files_are_taken(ten, tmp_path):
    (ten / "batches.meta.txt").write_text("\n".join([f"class {label}" for label in range(10)]) + "\n\n")
    assert opened(ten, tmp_path).class_names == tuple(f"class {label}" for label in range(10))


def test_labels_beyond_the_classes_are_rejected(ten, tmp_path):
    write(ten / "data_batch_2.bin", images_of(3, 2), [9, 10, 255])
    rejects = [record for record in read_all(opened(ten, tmp_path)) if isinstance(record, Reject)]
    assert [(reject.path, reject.reason) for reject in rejects] == [
        ("data_batch_2.bin/1", "label out of range"),
        ("data_batch_2.bin/2", "label out of range"),
    ]


def test_images_with_equal_channels_are_grey(ten, tmp_path):
    images = images_of(3, 2)
    images[1] = images[1][..., :1]
    write(ten / "data_batch_2.bin", images, [0, 0, 0])
    shapes = [record.pixels.shape[2] for record in read_all(opened(ten, tmp_path)) if "batch_2" in record.path]
    assert shapes == [3, 1, 3]


def test_without_a_test_batch_there_is_no_split(ten, tmp_path):
    (ten / "test_batch.bin").unlink()
    source = opened(ten, tmp_path)
    assert not source.has_split
    assert {record.split for record in read_all(source)} == {None}


def test_batches_are_cut_into_parts_that_can_be_read_anywhere(tmp_path):
    count = PART_IMAGES + 20
    write(tmp_path / "set" / "data_batch_1.bin", images_of(count, 0), np.arange(count) % 10)
    parts = [pickle.loads(pickle.dumps(part)) for part in opened(tmp_path / "set", tmp_path).parts()]
    assert [len(part) for part in parts] == [PART_IMAGES, 20]
    (_, last) = parts
    records = list(last.read())
    assert np.array_equal(np.stack([record.pixels for record in records]), images_of(count, 0)[PART_IMAGES:])
    assert records[0].path == f"data_batch_1.bin/{PART_IMAGES}"


@pytest.mark.parametrize(("size", "words"), [(0, "is empty or cannot be read"), (3074, "is 3,074 bytes, no whole num")])
def test_sizes_that_cannot_be_are_explained(ten, tmp_path, size, words):
    (ten / "data_batch_1.bin").write_bytes(bytes(size))
    with pytest.raises(DatasetError, match=words):
        opened(ten, tmp_path)


def test_what_is_taken_for_cifar(ten, tmp_path):
    assert is_cifar(folder_tree(ten))
    (tmp_path / "other").mkdir()
    for name in ("data_batch_1", "batch_1.bin", "train.bin.txt", "a.png"):
        (tmp_path / "other" / name).touch()
    assert not is_cifar(folder_tree(tmp_path / "other"))
