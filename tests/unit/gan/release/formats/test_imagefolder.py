"""Image folders: names that every file system takes, and a table of what lies in them."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gan.errors import DatasetError
from gan.release.formats import imagefolder
from gan.release.formats.imagefolder import folder_names


def test_plain_names_stay():
    assert folder_names(("0", "T-shirt", "ankle boot", "été", "v1.2")) == ["0", "T-shirt", "ankle boot", "été", "v1.2"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("a/b", "a_b"), ["a_b", "a_b 1"]),
        (("Cat", "cat"), ["Cat", "cat 1"]),
        (("..", ".", "", " "), ["class 0", "class 1", "class 2", "class 3"]),
        (("con", "nul.txt", "x\x1b[2J", "../../etc"), ["class 0", "class 1", "x__2J", "_.._etc"]),
        (("class 1", ""), ["class 1", "class 1 1"]),
    ],
)
def test_others_are_made_safe(names, found):
    assert folder_names(names) == found


@given(st.lists(st.text(max_size=80), max_size=30, unique=True))
def test_no_two_are_alike_and_none_leads_elsewhere(names):
    found = folder_names(names)
    assert len({name.casefold() for name in found}) == len(names)
    for name in found:
        assert name
        assert len(name.encode()) <= 255
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert name.strip(" .") == name


def test_pictures_lie_in_the_folder_of_their_class(shard_of, written):
    images, shard = shard_of("imagefolder")
    folder = written("imagefolder", shard)
    assert sorted(path.name for path in (folder / "train").iterdir()) == ["a_b", "cat", "metadata.csv", "é"]
    with (folder / "train/metadata.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 25
    seed = f"{2**62 + 1:019d}"
    assert lines[1] == {"file_name": f"a_b/{seed}.png", "label": "1", "class": "a/b", "seed": str(2**62 + 1)}
    with Image.open(folder / "train" / lines[1]["file_name"]) as picture:
        assert picture.tobytes() == images[1].tobytes()


def test_without_classes_there_is_one_folder(shard_of, written):
    _, shard = shard_of("imagefolder", class_names=())
    folder = written("imagefolder", shard)
    assert sorted(path.name for path in (folder / "train").iterdir()) == ["metadata.csv", "unlabelled"]


@pytest.mark.parametrize(
    "line",
    ["../x.png,0,cat,1", "/etc/passwd,0,cat,1", "cat/../../x,0,cat,1", "cat/gone.png,0,cat,1", "cat/x.png,0", ""],
)
def test_a_table_that_names_other_files_is_explained(shard_of, written, line):
    _, shard = shard_of("imagefolder")
    path = written("imagefolder", shard) / imagefolder.INDEX_FILE
    path.write_text(f"file_name,label,class,seed\n{line}\n")
    with pytest.raises(DatasetError, match=r"metadata\.csv is broken"):
        list(imagefolder.rows(path))
