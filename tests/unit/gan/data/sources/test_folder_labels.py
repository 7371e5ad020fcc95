"""Folders of images with a file of labels."""

import json

import numpy as np
import pytest
from PIL import Image

from gan.data.files.tree import folder_tree
from gan.data.pixels.decode import WHITE
from gan.data.records import Reject, SourceImage, read_all
from gan.data.sources.folder import FolderSource
from gan.data.sources.labels.files import LabelFile
from gan.errors import DatasetError

NO_ROW = "no row in the file of labels"
NO_FILE = "named in the file of labels but not there"


def save_all(root, *paths):
    for seed, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / path)
    return root


def opened(root, labels=None, **options):
    return FolderSource(folder_tree(root), WHITE, labels, **options)


def found(source):
    """Return the class of each image by path, and the reason of each reject."""
    records = list(read_all(source))
    assert len(records) == len(source)
    images = {each.path: each.label for each in records if isinstance(each, SourceImage)}
    names = {path: source.class_names[label] if label >= 0 else None for path, label in images.items()}
    return names, {each.path: each.reason for each in records if isinstance(each, Reject)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "file,label\nx/1.png,dog\n2.png,cat\n"),
        ("metadata.jsonl", '{"file_name": "x/1.png", "label": "dog"}\n{"file_name": "2.png", "label": "cat"}'),
        ("dataset.json", json.dumps({"labels": [["x/1.png", "dog"], ["2.png", "cat"]]})),
    ],
)
def test_a_file_of_labels_at_the_root_is_taken_instead_of_subfolders(tmp_path, name, text):
    save_all(tmp_path, "x/1.png", "2.png")
    (tmp_path / name).write_text(text)
    source = opened(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert found(source) == ({"x/1.png": "dog", "2.png": "cat"}, {})
    assert opened(tmp_path, use_labels=False).class_names == ("x",)


def test_images_are_in_the_order_of_their_classes_and_then_of_their_paths(tmp_path):
    save_all(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,dog\n2.png,cat\n3.png,dog\n")
    assert [record.path for record in read_all(opened(tmp_path))] == ["2.png", "1.png", "3.png"]


def test_labels_that_are_given_go_before_those_that_lie_there(tmp_path):
    save_all(tmp_path, "x/1.png", "y/2.png")
    (tmp_path / "labels.csv").write_text("file,label\nx/1.png,dog\ny/2.png,cat\n")
    source = opened(tmp_path, LabelFile({"x/1.png": 0, "y/2.png": 0}, ("ape",)))
    assert found(source)[0] == {"x/1.png": "ape", "y/2.png": "ape"}


def test_images_without_a_row_and_rows_without_an_image_are_rejected(tmp_path):
    save_all(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,a\n2.png,a\n2.png,b\n9.png,a\n../0.png,b\n")
    images, rejects = found(opened(tmp_path))
    assert images.keys() <= {"1.png", "2.png"}
    assert rejects == {
        "3.png": NO_ROW,
        "9.png": NO_FILE,
        "../0.png": "path outside the collection",
        "2.png": "a second, different label",
    }


def test_numbers_are_classes_in_their_own_order(tmp_path):
    save_all(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,10\n2.png,9\n3.png,-1\n")
    source = opened(tmp_path)
    assert source.class_names == ("9", "10")
    assert found(source)[0] == {"1.png": "10", "2.png": "9", "3.png": None}


def test_a_file_that_says_that_there_are_no_labels(tmp_path):
    save_all(tmp_path, "00000/1.png", "00001/2.png")
    (tmp_path / "dataset.json").write_text('{"labels": null}')
    source = opened(tmp_path)
    assert (source.class_names, source.notes) == ((), ())
    assert found(source) == ({"00000/1.png": None, "00001/2.png": None}, {})


def test_each_split_may_have_a_file_of_its_own(tmp_path):
    save_all(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    (tmp_path / "train" / "metadata.csv").write_text("file_name,label\n1.png,dog\n2.png,ape\n")
    (tmp_path / "test" / "metadata.csv").write_text("file_name,label\n3.png,cat\n4.png,cat\n")
    source = opened(tmp_path)
    assert (source.has_split, source.class_names) == (True, ("ape", "cat", "dog"))
    assert found(source) == (
        {"train/1.png": "dog", "train/2.png": "ape", "test/3.png": "cat"},
        {"test/4.png": NO_FILE},
    )
    assert {record.path: record.split for record in read_all(source) if isinstance(record, SourceImage)} == {
        "train/1.png": "train",
        "train/2.png": "train",
        "test/3.png": "test",
    }


def test_numbers_of_several_splits_are_joined_in_their_own_order(tmp_path):
    save_all(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    (tmp_path / "train" / "labels.csv").write_text("file,label\n1.png,10\n2.png,\n")
    (tmp_path / "test" / "labels.csv").write_text("file,label\n3.png,9\n")
    source = opened(tmp_path)
    assert source.class_names == ("9", "10")
    assert found(source)[0] == {"train/1.png": "10", "train/2.png": None, "test/3.png": "9"}


@pytest.mark.parametrize("labels", ["file,label\ntrain/1.png,a\ntest/2.png,a\n3.png,b\n", '{"labels": null}'])
def test_images_beside_the_splits_belong_to_none(tmp_path, labels):
    save_all(tmp_path, "train/1.png", "test/2.png", "3.png")
    (tmp_path / ("dataset.json" if labels.startswith("{") else "labels.csv")).write_text(labels)
    source = opened(tmp_path)
    assert source.has_split
    images, rejects = found(source)
    assert images.keys() == {"train/1.png", "test/2.png"}
    assert rejects.keys() == {"3.png"}


def test_splits_that_say_that_there_are_no_labels(tmp_path):
    save_all(tmp_path, "train/1.png", "test/2.png")
    for split in ("train", "test"):
        (tmp_path / split / "dataset.json").write_text('{"labels": null}')
    source = opened(tmp_path)
    assert source.class_names == ()
    assert found(source) == ({"train/1.png": None, "test/2.png": None}, {})


@pytest.mark.parametrize("places", [["labels.csv", "metadata.csv"], ["labels.csv", "train/labels.csv"]])
def test_several_files_of_labels_are_refused(tmp_path, places):
    save_all(tmp_path, "train/1.png", "test/2.png")
    for place in places:
        (tmp_path / place).write_text("file,label\n1.png,a\n")
    with pytest.raises(DatasetError, match=rf"several files of labels \({', '.join(places)}\): name one with --labels"):
        opened(tmp_path)
    assert opened(tmp_path, use_labels=False).has_split


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b""), r"labels\.csv cannot be used \(empty file\)"),
        (lambda path: path.symlink_to("/etc/passwd"), r"labels\.csv cannot be used \(symbolic link\)"),
        (lambda path: path.write_bytes(b"file,label\n1.png\n"), r"labels\.csv, line 2"),
        (lambda path: path.write_bytes(b"\0\xff"), r"labels\.csv, line 1.*UTF-8"),
    ],
)
def test_a_file_of_labels_that_cannot_be_used_is_explained(tmp_path, make, words):
    save_all(tmp_path, "1.png")
    make(tmp_path / "labels.csv")
    with pytest.raises(DatasetError, match=words):
        opened(tmp_path)


def test_a_name_that_only_looks_like_a_number_is_a_name(tmp_path):
    save_all(tmp_path, "train/1.png", "test/2.png")
    (tmp_path / "train" / "labels.csv").write_text("file,label\n1.png,²\n", "utf-8")
    (tmp_path / "test" / "labels.csv").write_text("file,label\n2.png,1\n")
    assert opened(tmp_path).class_names == ("1", "²")
