"""Folders as people have them, by their names alone."""

import pytest

from gan.data.sources.layout.folder import Folder
from gan.data.sources.layout.read import read_layout
from gan.errors import DatasetError


def laid_out(paths, where="set", **options):
    return read_layout(Folder.of(paths), where, **options)


def images(*folders, count=3, start=0):
    """Return `count` paths in each folder, of names that occur in no other."""
    return [
        f"{folder}/{start + at * count + index}.png".lstrip("/")
        for at, folder in enumerate(folders)
        for index in range(count)
    ]


def read(*folders, **options):
    """Return (split, class) by folder; what cannot be used is `out`."""
    layout = laid_out(images(*folders), **options)
    found = {folder: layout.places[folder.rstrip("/")] for folder in folders}
    return layout, {
        folder: "out" if place.left_out or place.reject else (place.split, place.class_name)
        for folder, place in found.items()
    }


READ = {
    "classes": {"cat": (None, "cat"), "dog": (None, "dog"), "dog/more": (None, "dog")},
    "flat": {"": (None, None)},
    "one folder around everything": {"set/cat": (None, "cat"), "set/dog": (None, "dog")},
    "a folder alone": {"cat": (None, None)},
    "splits": {"train/cat": ("train", "cat"), "test/cat": ("test", "cat"), "train/dog": ("train", "dog")},
    "validation beside test": {
        "train/cat": ("train", "cat"), "val/cat": ("train", "cat"), "test/cat": ("test", "cat"),
    },
    "a year": {"train2017": ("train", None), "val2017": ("test", None)},
    "CycleGAN": {
        "trainA": ("train", "A"), "trainB": ("train", "B"), "testA": ("test", "A"), "testB": ("test", "B"),
    },
    "a folder in a folder of the same name": {
        "seg_train/seg_train/sea": ("train", "sea"), "seg_test/seg_test/sea": ("test", "sea"),
        "seg_train/seg_train/ice": ("train", "ice"), "seg_pred/seg_pred": "out",
    },
    "sets": {"training_set/training_set/cats": ("train", "cats"), "test_set/test_set/cats": ("test", "cats")},
    "STL-10": {"train/cat": ("train", "cat"), "test/cat": ("test", "cat"), "unlabeled": "out"},
    "SVHN": {"train": ("train", None), "test": ("test", None), "extra": "out"},
    "an inner copy": {
        "chest/train/a": ("train", "a"), "chest/val/a": ("train", "a"), "chest/test/a": ("test", "a"),
        "chest/chest/train/a": "out", "chest/chest/test/a": "out",
    },
    "Tiny-ImageNet": {
        "tiny/train/n01/images": ("train", "n01"), "tiny/train/n02/images": ("train", "n02"),
        "tiny/val/images": "out", "tiny/test/images": "out",
    },
    "ImageNet": {"train/n01": ("train", "n01"), "train/n02": ("train", "n02"), "val": "out"},
    "a class for validation alone": {
        "train/a": ("train", "a"), "val/a": ("train", "a"), "val/b": "out", "test/a": ("test", "a"),
    },
    "a class in test alone": {"train/a": ("train", "a"), "test/a": ("test", "a"), "test/b": ("test", "b")},
    "splits below classes": {
        "cat/train": ("train", "cat"), "cat/test": ("test", "cat"), "dog/train": ("train", "dog"),
        "dog/val": ("test", "dog"),
    },
    "YOLO": {"images/train": ("train", None), "images/val": ("test", None)},
    "Roboflow": {"train/images": ("train", None), "valid/images": ("test", None)},
    "a railway": {"bus": (None, "bus"), "car": (None, "car"), "train": (None, "train")},
    "a railway below splits": {
        "train/bus": ("train", "bus"), "train/train": ("train", "train"), "test/train": ("test", "train"),
        "test/bus": ("test", "bus"),
    },
    "bullet trains": {"bullet_train": (None, "bullet_train"), "test_tube": (None, "test_tube")},
    "a container that classes hold": {
        "cat/images": (None, "cat"), "dog/images": (None, "dog"), "images": "out",
    },
    "one spelling of Unicode": {"train/caf\u00e9": ("train", "caf\u00e9"), "test/cafe\u0301": ("test", "caf\u00e9")},
    "spaces": {"cat": (None, "cat"), "cat ": (None, "cat"), "dog": (None, "dog")},
    "case across splits": {"train/Cat": ("train", "Cat"), "test/cat": ("test", "Cat")},
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_folders_mean(name):
    layout, found = read(*READ[name])
    assert found == READ[name]
    assert layout.has_split == ({"train", "test"} <= {each[0] for each in found.values() if each != "out"})
    assert set(layout.class_names) == {each[1] for each in found.values() if each != "out" and each[1]}


ASKED = {
    "folds": (["one/cat", "one/dog", "two/cat", "two/dog"], "classes one, two or as the classes cat, dog", "1 .* 2"),
    "test beside classes": (["cat", "dog", "test"], "splits test, with cat, dog left out or as the classes test", "1"),
    "train beside one": (["bus", "train"], "the splits train, with bus left out", "1"),
    "nothing to train on": (["val", "test"], "the splits test, val or as the classes test, val", "1"),
    "flat splits beside a folder": (["train", "test", "more/x"], "with more left out or as the classes", "1"),
    "classes in test alone": (["train", "test/a", "test/b"], "classes that «test» alone has folders for", "none"),
    "a container beside classes": (["images", "cat", "dog"], "a class called «images» beside cat, dog", "1"),
    "two cases in one folder": (["Cat", "cat", "dog"], "two classes «Cat» and «cat» or as one class", "rename"),
    "splits in some classes": (["cat/train", "cat/test", "dog"], "with splits in some of them", "--classes-from"),
    "splits below classes above classes": (
        ["bottle/train/good", "bottle/test/bad", "cup/train/good", "cup/test/bad"], "several collections", "--classes",
    ),
    "sites below splits": (["train/x/a", "train/x/b", "train/y/a", "train/y/b", "test/x/a"], "classes a, b", "2 .* 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_two_plausible_readings_are_a_question(name):
    folders, words, how = ASKED[name]
    with pytest.raises(DatasetError, match=rf"^set can be read in two ways, as .*{words}.*: .*{how}") as caught:
        read(*folders)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_that_is_alone_is_named_unless_it_only_holds_something():
    assert (
        laid_out(images("set/cat")).notes[0].startswith("everything lies in the one folder set/cat, so it is no class")
    )
    assert laid_out(images("set/JPEGImages")).notes == ()
    assert laid_out(images("set/images/train", "set/images/test")).notes == ()


def test_a_class_that_is_called_like_a_split_is_named():
    notes = laid_out(images("bus", "car", "train")).notes
    assert notes == ("train is taken for a class, as the folders beside it are",)


def test_images_and_masks_are_no_classes():
    pictures = [f"train/{kind}/{index}.png" for kind in ("images", "masks") for index in (3, 5, 8)]
    layout = laid_out([*pictures, "test/images/9.png"])
    assert (layout.class_names, layout.has_split) == ((), True)
    assert layout.places["train/masks"].left_out == "lies in «train/masks», beside the images that it goes with"
    assert layout.places["train/images"].split == "train"


def test_mvtec():
    paths = images("train/good", "test/good", "test/crack")
    paths += [f"ground_truth/crack/{path.rpartition('/')[2][:-4]}_mask.png" for path in paths[-3:]]
    layout = laid_out(paths)
    assert (layout.class_names, layout.has_split) == (("crack", "good"), True)
    assert layout.places["ground_truth/crack"].left_out


def test_folders_that_pair_up_file_by_file_are_views_and_a_question():
    names = [f"{name}.png" for name in ("hall", "door", "yard", "roof", "wall", "lake", "tree", "path")]
    with pytest.raises(DatasetError, match="several views site1, site2 of the same things, file by file"):
        laid_out([f"{site}/{name}" for site in ("site1", "site2") for name in names])
    counted = [f"{side}/{index}.png" for side in ("left", "right") for index in range(9)]
    with pytest.raises(DatasetError, match="several views left, right of the same things"):
        laid_out(counted)


def test_classes_whose_files_are_counted_through_alike_are_classes():
    paths = [f"{kind}/img_{index:03}.png" for kind in ("cat", "dog") for index in range(30)]
    assert laid_out(paths).class_names == ("cat", "dog")


def test_numbered_classes_are_in_the_order_of_their_numbers():
    assert laid_out(images(*map(str, range(1, 12)))).class_names == tuple(map(str, range(1, 12)))
    assert laid_out(images("1", "10", "2", "x")).class_names == ("1", "10", "2", "x")


def test_what_lies_beside_is_said_of_each_folder():
    paths = [*images("train/cat", "test/cat", "train/dog"), "train/x.png", "y.png"]
    layout = laid_out(paths)
    assert layout.places["train"].reject == "lies beside the class folders, so has no class"
    assert layout.places[""].reject == "lies beside the folders of the splits"
    few = laid_out([*images("set/cat", "set/dog", count=30), "y.png"])
    assert few.class_names == ("cat", "dog")
    assert few.places[""].reject == "lies beside the folder that holds the rest"


def test_who_says_what_the_classes_are_is_asked_nothing():
    paths = images("one/cat", "one/dog", "two/cat", "two/dog")
    assert laid_out(paths, classes=False, asked_depth=2).class_names == ()
    layout = laid_out(images("train", "test", "cat"), classes=False, asked_depth=1)
    assert not layout.has_split
    split = laid_out(images("train/a", "test/a"), classes=False, asked_depth=2)
    assert split.has_split


def test_splits_that_somebody_names_are_looked_into():
    paths = images("good/cat", "good/dog", "kept/cat", "kept/dog")
    splits = {path: "test" if path.startswith("kept") else "train" for path in paths}
    layout = laid_out(paths, splits=splits)
    assert layout.class_names == ("cat", "dog")
    paths = images("cat", "dog")
    mixed = {path: "test" if path.endswith("0.png") else "train" for path in paths}
    assert laid_out(paths, splits=mixed).class_names == ("cat", "dog")
