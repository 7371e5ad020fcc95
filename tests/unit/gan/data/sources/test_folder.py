"""Folders and archives of images, whatever lies in them."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.data.files.archive import zip_tree
from gan.data.files.tree import folder_tree
from gan.data.pixels.decode import WHITE
from gan.data.records import PART_IMAGES, Reject, SourceImage, read_all
from gan.data.sources.folder import FolderSource
from gan.data.sources.spec import Asked
from gan.errors import DatasetError

BESIDE = "lies beside the class folders, so has no class"


def colour(seed, height=6, width=5, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def save(path, pixels=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colour(0) if pixels is None else pixels).save(path, **options)


def save_all(root, *paths):
    for seed, path in enumerate(paths):
        save(root / path, colour(seed))
    return root


def opened(root, **options):
    return FolderSource(folder_tree(root), WHITE, **options)


def found(source):
    """Return path, label and split of each image, and path and reason of each reject."""
    records = list(read_all(source))
    assert len(records) == len(source)
    images = [(each.path, each.label, each.split) for each in records if isinstance(each, SourceImage)]
    return images, {each.path: each.reason for each in records if isinstance(each, Reject)}


def test_subfolders_are_classes_and_files_are_found_at_any_depth_in_order(tmp_path):
    pixels = colour(0)
    save(tmp_path / "set" / "dog" / "b.png", pixels)
    save(tmp_path / "set" / "dog" / "a" / "z.PNG", pixels)
    save(tmp_path / "set" / "cat" / "1.bmp", pixels)
    (tmp_path / "set" / "empty").mkdir()
    (tmp_path / "set" / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "set" / "cat" / "._1.png").write_text("macOS")
    source = opened(tmp_path / "set")
    assert (source.name, source.kind, source.class_names, source.has_split) == ("set", "folder", ("cat", "dog"), False)
    assert found(source) == ([("cat/1.bmp", 0, None), ("dog/a/z.PNG", 1, None), ("dog/b.png", 1, None)], {})
    assert all(np.array_equal(record.pixels, pixels) for record in read_all(source))
    assert source.notes == ("the class folder empty holds no image",)


def test_a_flat_folder_has_no_labels(tmp_path):
    source = opened(save_all(tmp_path, "a.png", "b.png"))
    assert source.class_names == ()
    assert found(source)[0] == [("a.png", -1, None), ("b.png", -1, None)]
    (tmp_path / "empty").mkdir()
    assert opened(tmp_path).notes == ()


def test_one_folder_around_everything_is_no_class_unless_somebody_says_so(tmp_path):
    save_all(tmp_path, "cat/1.png", "cat/2.png")
    source = opened(tmp_path)
    assert source.class_names == ()
    assert found(source)[0] == [("1.png", -1, None), ("2.png", -1, None)]
    assert source.notes == (
        "everything lies in the one folder cat, so it is no class and the images have no labels: "
        "give --classes-from 1 to make it one",
    )
    assert opened(tmp_path, asked=Asked(classes_from="1")).class_names == ("cat",)


def test_images_beside_class_folders_are_rejected(tmp_path):
    images, rejects = found(opened(save_all(tmp_path, "a.png", "cat/b.png", "dog/c.png")))
    assert rejects == {"a.png": BESIDE}
    assert [path for path, *_ in images] == ["cat/b.png", "dog/c.png"]


def test_links_pipes_and_broken_files_are_rejected_without_being_opened(tmp_path):
    save(tmp_path / "cat" / "good.png", colour(2, 64, 64))
    whole = (tmp_path / "cat" / "good.png").read_bytes()
    (tmp_path / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cat" / "empty.jpg").touch()
    (tmp_path / "cat" / "text.gif").write_text("hello")
    (tmp_path / "cat" / "link.png").symlink_to("good.png")
    (tmp_path / "cat" / "linked").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "cat" / "folder.png").mkdir()
    save(tmp_path / "bee" / "1.png")
    (tmp_path / "dog").symlink_to("cat", target_is_directory=True)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    source = opened(tmp_path)
    images, rejects = found(source)
    assert rejects == {
        "cat/cut.png": "truncated image",
        "cat/empty.jpg": "empty file",
        "cat/text.gif": "not an image",
        "cat/link.png": "symbolic link",
        "cat/linked": "symbolic link",
        "cat/pipe.png": "not a regular file",
        **{
            f"dog/{name}": "symbolic link"
            for name in ("cut.png", "good.png", "empty.jpg", "text.gif", "link.png", "pipe.png")
        },
    }
    assert images == [("bee/1.png", 0, None), ("cat/good.png", 1, None)]
    assert source.class_names == ("bee", "cat", "dog")


def test_names_that_are_no_utf8_become_text(tmp_path):
    save(tmp_path / "a.png", colour(3))
    os.rename(os.fsencode(tmp_path / "a.png"), os.fsencode(tmp_path) + b"/\xff.png")
    (record,) = read_all(opened(tmp_path))
    assert isinstance(record, SourceImage)
    assert record.path == "\ufffd.png"


def test_folders_called_train_and_test_are_splits(tmp_path):
    source = opened(save_all(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/dog/3.png", "test/ape/4.png"))
    assert (source.has_split, source.class_names) == (True, ("ape", "cat", "dog"))
    assert found(source)[0] == [
        ("train/cat/1.png", 1, "train"),
        ("train/dog/2.png", 2, "train"),
        ("test/ape/4.png", 0, "test"),
        ("test/dog/3.png", 2, "test"),
    ]


def test_images_beside_the_splits_belong_to_none(tmp_path):
    source = opened(save_all(tmp_path, "train/1.png", "test/2.png", "3.png"))
    assert found(source)[0] == [("train/1.png", -1, "train"), ("test/2.png", -1, "test")]
    assert found(source)[1] == {"3.png": "lies beside the folders of the splits"}


def test_splits_without_classes_and_loose_images_in_a_split(tmp_path):
    source = opened(save_all(tmp_path / "flat", "train/1.png", "val/2.png"))
    assert (source.class_names, found(source)[0]) == ((), [("train/1.png", -1, "train"), ("val/2.png", -1, "test")])
    source = opened(save_all(tmp_path / "loose", "train/1.png", "train/cat/2.png", "test/cat/3.png"))
    assert found(source)[1] == {"train/1.png": BESIDE}
    assert source.class_names == ("cat",)


def test_splits_beside_a_folder_of_which_nothing_tells_what_it_is_are_asked_about(tmp_path):
    save_all(tmp_path, "train/1.png", "test/2.png", "cat/3.png")
    words = (
        r"two ways, as the splits test, train, with cat left out or as the classes .*--exclude, or .*--classes-from 1"
    )
    with pytest.raises(DatasetError, match=words):
        opened(tmp_path)
    assert opened(tmp_path, asked=Asked(classes_from="1")).class_names == ("cat", "test", "train")
    source = opened(tmp_path, asked=Asked(exclude=("cat/*",)))
    assert (source.has_split, source.class_names, source.census.companions) == (True, (), {"left out by --exclude": 1})


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_folders_around_all_classes_mean_nothing(tmp_path, depth):
    inside = "/".join(["wrapper"] * depth)
    save_all(tmp_path / "set" / inside, "cat/1.png", "dog/2.png")
    source = opened(tmp_path / "set")
    assert (source.name, source.class_names) == ("set", ("cat", "dog"))
    assert found(source)[0] == [("cat/1.png", 0, None), ("dog/2.png", 1, None)]


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_folders_around_all_files_of_an_archive_mean_nothing(tmp_path, depth):
    inside = "".join(["wrapper/"] * depth)
    save_all(tmp_path, "1.png", "2.png")
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        archive.write(tmp_path / "1.png", f"{inside}train/cat/1.png")
        archive.write(tmp_path / "2.png", f"{inside}test/dog/2.png")
    source = FolderSource(zip_tree(tmp_path / "pets.zip", "pets.zip"), WHITE)
    assert (source.name, source.class_names, source.has_split) == ("pets", ("cat", "dog"), True)
    assert found(source)[0] == [("train/cat/1.png", 0, "train"), ("test/dog/2.png", 1, "test")]


def test_the_background_lies_under_transparent_pixels(tmp_path):
    save(tmp_path / "a.png", np.zeros((4, 4, 4), np.uint8))
    (record,) = read_all(FolderSource(folder_tree(tmp_path), (1, 2, 3)))
    assert (record.pixels == (1, 2, 3)).all()


def test_parts_travel_and_their_identity_follows_the_files(tmp_path):
    save_all(tmp_path, "cat/1.png", "dog/2.png")
    (part,) = opened(tmp_path).parts()
    copy = pickle.loads(pickle.dumps(part))
    assert [record.path for record in copy.read()] == ["cat/1.png", "dog/2.png"]
    assert copy.identity() == part.identity() == opened(tmp_path).parts()[0].identity()
    seen = {part.identity()}
    age = (tmp_path / "cat" / "1.png").stat().st_mtime_ns
    os.utime(tmp_path / "cat" / "1.png", ns=(age, age + 1_000_000_000))
    seen.add(opened(tmp_path).parts()[0].identity())
    (tmp_path / "dog").rename(tmp_path / "cow")
    seen.add(opened(tmp_path).parts()[0].identity())
    seen.add(FolderSource(folder_tree(tmp_path), (0, 0, 0)).parts()[0].identity())
    (tmp_path / "ape").mkdir()
    (tmp_path / "cat" / "1.png").rename(tmp_path / "ape" / "1.png")
    seen.add(opened(tmp_path).parts()[0].identity())
    assert len(seen) == 5


def test_many_files_are_cut_into_parts(tmp_path):
    count = PART_IMAGES + 3
    for index in range(count):
        (tmp_path / f"{index:05d}.png").write_bytes(b"x")
    parts = opened(tmp_path).parts()
    assert [len(part) for part in parts] == [PART_IMAGES, 3]
    assert {record.reason for part in parts for record in part.read()} == {"not an image"}


def test_without_an_image_it_is_explained(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.txt").write_text("x")
    with pytest.raises(
        DatasetError, match=r"no image was found in .*set: give .* that end in \.avif, \.bmp, \.dcm, \.gif"
    ):
        opened(Path(tmp_path / "set"))
