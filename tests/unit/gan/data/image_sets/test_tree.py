"""Which files are images of a set, and their classes: as ingesting has them."""

from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data.files.blob import Blob
from gan.data.files.tree import Entry, Tree
from gan.data.image_sets.tree import select_images
from gan.data.pixels.decode import WHITE
from gan.data.records import Reject
from gan.data.sources.folder import FolderSource
from gan.errors import DatasetError, InputError

FOLDERS = ["a", "a-b", "b", "train", "test", "val"]
PATHS = st.lists(
    st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=3), st.sampled_from(["1.png", "2.png"])), min_size=1
).map(lambda found: sorted({"/".join([*folders, name]) for folders, name in found}))


def tree_of(paths, is_archive=False, rejects=()):
    entries = tuple(Entry(path, Blob(path, 1)) for path in sorted(paths))
    return Tree("set", "there", entries, tuple(rejects), is_archive=is_archive)


def selected(paths, split=None, is_archive=False):
    """Return path to class, nothing for none."""
    entries, labels, names = select_images(tree_of(paths, is_archive), split)
    assert [entry.path for entry in entries] == sorted(entry.path for entry in entries)
    assert sorted(set(names)) == list(names)
    assert {int(label) for label in labels} == set(range(len(names)) if names else [-1])
    return {entry.path: names[label] if names else "" for entry, label in zip(entries, labels, strict=True)}


@given(PATHS, st.booleans())
def test_classes_are_those_of_ingesting_wherever_every_image_has_one(paths, is_archive):
    found = selected(paths, is_archive=is_archive)
    assert list(found) == paths
    try:
        source = FolderSource(tree_of(paths, is_archive), WHITE)
    except DatasetError:
        assert set(found.values()) == {""}
        return
    items = [item for part in source.parts() for item in part.items]
    if any(item.reason for item in items) or len(items) < len(paths):
        assert set(found.values()) == {""}
    else:
        items.sort(key=attrgetter("path"))  # without the folders around all, so in the order of the whole paths
        names = [source.class_names[item.label] if item.label >= 0 else "" for item in items]
        assert list(found.values()) == names


@given(PATHS, st.sampled_from(FOLDERS), st.sampled_from(["", "set/", "set/x/"]))
def test_a_split_is_the_subfolder_of_that_name_at_the_top(paths, split, wrapper):
    inside = [path for path in paths if path.startswith(f"{split}/")]
    paths = [*paths, "c/1.png", "d/1.png"]  # at the top lies more than one folder
    wrapped = [wrapper + path for path in paths]
    if not inside:
        with pytest.raises(InputError, match=f"there has no folder «{split}» with images"):
            selected(wrapped, split)
        return
    found = selected(wrapped, split)
    assert list(found) == [wrapper + path for path in inside]
    assert {path.removeprefix(wrapper): name for path, name in found.items()} == selected(paths, split)


@pytest.mark.parametrize(
    ("paths", "split", "classes"),
    [
        (["1.png", "2.png"], None, ["", ""]),
        (["a/1.png", "b/x/2.png"], None, ["a", "b"]),
        (["a/1.png", "b/2.png", "3.png"], None, ["", "", ""]),
        (["train/a/1.png", "test/b/1.png"], None, ["b", "a"]),
        (["train/a/1.png", "test/1.png"], None, ["", ""]),
        (["train/1.png", "a/1.png"], None, ["", ""]),
        (["train/a/1.png", "train/b/1.png"], "train", ["a", "b"]),
        (["set/train/a/1.png", "set/train/b/1.png"], "train", ["a", "b"]),
        (["set/a/1.png", "set/b/1.png"], None, ["a", "b"]),
        (["test/a/1.png", "test/a/2.png", "train/x/1.png"], "test", ["a", "a"]),
        (["test/1.png", "test/a/2.png", "train/1.png"], "test", ["", ""]),
        (["cat/1.png"], None, [""]),
    ],
)
def test_classes_by_folder(paths, split, classes):
    assert list(selected(paths, split).values()) == classes


@pytest.mark.parametrize(
    ("paths", "split", "labels", "classes"),
    [
        (["0/1.png", "1/2.png"], None, "dataset.json", ["", ""]),
        (["set/0/1.png", "set/1/2.png"], None, "set/labels.csv", ["", ""]),
        (["train/0/1.png", "train/1/2.png", "test/0/3.png"], "train", "train/metadata.csv", ["", ""]),
        (["0/1.png", "1/2.png"], None, "1/labels.csv", ["0", "1"]),
        (["0/1.png", "1/2.png"], None, "notes.csv", ["0", "1"]),
    ],
)
def test_folders_are_no_classes_beside_a_file_of_labels(paths, split, labels, classes):
    assert list(selected([*paths, labels], split).values()) == classes


def test_what_must_not_be_read_is_not_left_out_unnoticed():
    bad = Reject("train/a/2.png", "encrypted")
    paths = ["train/a/1.png", "test/a/1.png"]
    sentence = r"train/a/2.png in there cannot be read \(encrypted\): repair or remove it, or run `ganflow ingest`"
    for split in (None, "train"):
        with pytest.raises(DatasetError, match=sentence):
            select_images(tree_of(paths, rejects=[bad]), split)
    assert len(select_images(tree_of(paths, rejects=[bad]), "test")[0]) == 1
    assert len(select_images(tree_of(paths, rejects=[Reject("notes.txt", "encrypted")]), None)[0]) == 2
