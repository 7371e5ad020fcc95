"""Sources: digits and image folders, whatever lies in them."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.data.sources import Reject, SourceImage, open_source
from gan.errors import DatasetError


def save(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def colour(seed: int, height: int = 6, width: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_digits_are_scikit_learns_with_their_range_spread_to_255():
    source = open_source("digits")
    images = list(source)
    assert (source.name, source.kind, len(source), len(images)) == ("digits", "digits", 1797, 1797)
    assert source.class_names == tuple("0123456789")
    assert images[0].pixels.shape == (8, 8, 1)
    assert images[0].pixels.dtype == np.uint8
    assert {int(value) for image in images for value in np.unique(image.pixels)} == {
        round(value * 255 / 16) for value in range(17)
    }
    assert images[0].label == 0


def test_subfolders_are_classes_and_files_are_found_at_any_depth_in_order(tmp_path):
    pixels = colour(0)
    save(tmp_path / "set" / "dog" / "b.png", pixels)
    save(tmp_path / "set" / "dog" / "a" / "z.PNG", pixels)
    save(tmp_path / "set" / "cat" / "1.bmp", pixels)
    (tmp_path / "set" / "empty").mkdir()
    (tmp_path / "set" / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "set" / "cat" / "._1.png").write_text("macOS")
    source = open_source(str(tmp_path / "set"))
    records = list(source)
    assert source.name == "set"
    assert source.kind == "folder"
    assert source.class_names == ("cat", "dog")
    assert len(source) == 3
    assert [(record.path, record.label) for record in records] == [
        ("cat/1.bmp", 0),
        ("dog/a/z.PNG", 1),
        ("dog/b.png", 1),
    ]
    assert all(np.array_equal(record.pixels, pixels) for record in records)


def test_a_flat_folder_has_no_labels(tmp_path):
    save(tmp_path / "a.png", colour(1))
    source = open_source(str(tmp_path))
    assert source.class_names == ()
    assert [record.label for record in source] == [-1]


def test_images_beside_class_folders_are_rejected(tmp_path):
    save(tmp_path / "a.png", colour(1))
    save(tmp_path / "cat" / "b.png", colour(1))
    first, second = open_source(str(tmp_path))
    assert isinstance(first, Reject)
    assert "no class" in first.reason
    assert isinstance(second, SourceImage)


def test_links_pipes_and_broken_files_are_rejected_without_being_opened(tmp_path):
    save(tmp_path / "cat" / "good.png", colour(2, 64, 64))
    whole = (tmp_path / "cat" / "good.png").read_bytes()
    (tmp_path / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cat" / "empty.jpg").touch()
    (tmp_path / "cat" / "text.gif").write_text("hello")
    (tmp_path / "cat" / "link.png").symlink_to("good.png")
    (tmp_path / "cat" / "linked").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dog").symlink_to("cat", target_is_directory=True)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    records = {record.path: record for record in open_source(str(tmp_path))}
    reasons = {path: record.reason for path, record in records.items() if isinstance(record, Reject)}
    assert {path: reason for path, reason in reasons.items() if path.startswith("cat/")} == {
        "cat/cut.png": "truncated image",
        "cat/empty.jpg": "empty file",
        "cat/text.gif": "not an image",
        "cat/link.png": "symbolic link",
        "cat/linked": "symbolic link",
        "cat/pipe.png": "not a regular file",
    }
    assert {reason for path, reason in reasons.items() if path.startswith("dog/")} == {"in a linked folder"}
    assert isinstance(records["cat/good.png"], SourceImage)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "nothing at"),
        (lambda path: path.write_text("x"), "is a file"),
        (lambda path: path.mkdir(), "no image was found"),
    ],
)
def test_a_wrong_path_is_explained(tmp_path, make, words):
    make(tmp_path / "there")
    with pytest.raises(DatasetError, match=words):
        open_source(str(tmp_path / "there"))


def test_names_that_are_no_utf8_become_text(tmp_path):
    save(tmp_path / "a.png", colour(3))
    os.rename(os.fsencode(tmp_path / "a.png"), os.fsencode(tmp_path) + b"/\xff.png")
    (record,) = open_source(str(tmp_path))
    assert isinstance(record, SourceImage)
    assert record.path == "�.png"
