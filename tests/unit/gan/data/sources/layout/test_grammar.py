"""Random trees, built by a grammar of the layouts that people have: what was built is found again, or asked about."""

import itertools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from gan.data.files.blob import Blob
from gan.data.files.tree import Entry, Tree
from gan.data.pixels.decode import WHITE
from gan.data.sources.folder import FolderSource
from gan.errors import DatasetError

PLAIN = ["cat", "dog", "Großer Bär", "n01443537", "good", "3", "14", "bird nest"]
# Names that have meant something else to some reader of folders.
WILD = [
    *PLAIN,
    "train",
    "test",
    "val",
    "images",
    "data",
    "masks",
    "left",
    "right",
    "Cat",
    "cat ",
    "extra",
    "label",
    "trainA",
]
SPLITS = [
    [("train", "train"), ("test", "test")],
    [("Training", "train"), ("Testing", "test")],
    [("train", "train"), ("val", "test")],
    [("train", "train"), ("valid", "train"), ("test", "test")],
    [("train2017", "train"), ("val2017", "test")],
    [("seg_train", "train"), ("seg_test", "test")],
    [("training_set", "train"), ("test_set", "test")],
]
COMPANIONS = ["README.md", "LICENSE", "Thumbs.db", "{}notes.txt", "classes.json", "{}checksums.md5", "requirements.txt"]
TAKEN = settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Built:
    """A tree, and what each of its images is: split and class, or None for one that is none of the dataset."""

    truth: dict[str, tuple[str | None, str | None] | None] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    is_archive: bool = False
    rows: str = ""

    def source(self, root):
        entries = [Entry(path, Blob(path, 9)) for path in self.truth]
        for number, (path, data) in enumerate(self.others.items()):
            (root / str(number)).write_bytes(data)
            entries.append(Entry(path, Blob(str(root / str(number)), len(data))))
        entries.sort()
        return FolderSource(Tree("set", "there", tuple(entries), is_archive=self.is_archive, files=len(entries)), WHITE)


def names_of(draw, count, counted):
    """Draw names of files: counted through from 1 in every folder, or each of its own."""
    start = 1 if counted else draw(st.integers(0, 10**6))
    ending = draw(st.sampled_from(["png", "jpg", "JPEG", "webp"]))
    return [f"img_{start + index:06}.{ending}" for index in range(count)]


@st.composite
def trees(draw, pool, wild):
    built = Built(is_archive=draw(st.booleans()))
    wrapper = "".join(f"{name}/" for name in draw(st.lists(st.sampled_from(["archive", "my data", "v2"]), max_size=2)))
    classes = draw(st.lists(st.sampled_from(pool), min_size=2, max_size=4, unique=True))
    splits = draw(st.sampled_from([[("", None)], *SPLITS]))
    # Folders of these names and no others are what everybody means by splits and by what lies beside them.
    assume(splits[0][0] or not set(classes) <= {"train", "test", "val", "extra", "masks", "label"})
    above, below = draw(st.sampled_from([("", ""), ("images/", ""), ("", "images/"), ("", "")]))
    above = above if splits[0][0] else ""
    inner_first = (
        bool(splits[0][0]) and not above and not below and draw(st.booleans())
    )  # cat/train rather than train/cat
    counted = draw(st.booleans())
    for (folder, split), name in itertools.product(splits, classes):
        prefix = f"{folder}/" if folder else ""
        place = f"{name}/{prefix}" if inner_first else f"{prefix}{above}{name}/{below}"
        for file in names_of(draw, draw(st.integers(2, 4)), counted):
            built.truth[f"{wrapper}{place}{file}"] = (split, name)
    if wild and draw(st.booleans()):
        folder = draw(st.sampled_from(["", "unlabeled/", "pred/", "test/", "images/", f"{classes[0]}/", "extra/cat/"]))
        # beside images that are held out by another name, those of a validation are there to train on
        assume(folder != "test/" or not splits[-1][0].startswith("val"))
        for file in names_of(draw, draw(st.integers(1, 9)), counted):
            built.truth.setdefault(f"{wrapper}{folder}{file}", None)
    for name in draw(st.lists(st.sampled_from(COMPANIONS), unique=True)):
        built.others[wrapper + name.format(draw(st.sampled_from(["", f"{classes[0]}/"])))] = b"text"
    return built


ROWS = {
    "as it lies": lambda path, wrapper: path,
    "below the wrapper": lambda path, wrapper: path.removeprefix(wrapper),
    "below another folder": lambda path, wrapper: f"home/me/{path}",
    "without its ending": lambda path, wrapper: path.removeprefix(wrapper).rpartition(".")[0],
    "another case of the ending": lambda path, wrapper: path[: path.rindex(".")] + path[path.rindex(".") :].swapcase(),
    "with spaces": lambda path, wrapper: f" {path} ",
    "the name alone": lambda path, wrapper: path.rpartition("/")[2],
    "the name without its ending": lambda path, wrapper: path.rpartition("/")[2].rpartition(".")[0],
}


@st.composite
def labelled(draw):
    """Draw images in folders that mean nothing, or in splits, and a file that says what each is."""
    built = Built(is_archive=draw(st.booleans()), rows=draw(st.sampled_from(sorted(ROWS))))
    wrapper = draw(st.sampled_from(["", "archive/", "my set/v1/"]))
    splits = draw(st.sampled_from([[("", None)], [("00000", None), ("00001", None)], *SPLITS]))
    lines = ["file_name,label"]
    for folder, split in splits:
        for file in names_of(draw, draw(st.integers(2, 5)), counted=draw(st.booleans())):
            path = f"{wrapper}{folder}/{file}" if folder else wrapper + file
            built.truth[path] = (split, draw(st.sampled_from(PLAIN[:4])))
            lines.append(f'"{ROWS[built.rows](path, wrapper)}",{built.truth[path][1]}')
    name = draw(st.sampled_from(["labels.csv", "metadata.csv", "annotations.csv"]))
    built.others[draw(st.sampled_from(["", wrapper])) + name] = "\n".join(lines).encode()
    return built


def read(built):
    """Return split and class of each image that is found, or None where the tree is a question."""
    with tempfile.TemporaryDirectory() as root:
        try:
            source = built.source(Path(root))
        except DatasetError as error:
            sentence = str(error)
            return None, sentence
    items = [item for part in source.parts() for item in part.items]
    census = source.census
    assert census.files == len(items) - census.absent + sum(census.companions.values())
    found = {}
    for item in items:
        if item.blob is not None:
            found[item.blob.file] = (item.split, source.class_names[item.label] if item.label >= 0 else None)
    return found, ""


def assert_none_is_wrong(found, built):
    merged = {"cat ": "cat"}
    for path, (split, name) in found.items():
        if built.truth[path] is not None:
            its_split, its_name = built.truth[path]
            assert merged.get(name, name) in {merged.get(its_name, its_name), None}, path
            assert split in {its_split, None}, path


@TAKEN
@given(trees(PLAIN, wild=False))
def test_plain_trees_are_found_again(built):
    found, _ = read(built)
    assert found == built.truth


@TAKEN
@given(trees(WILD, wild=True))
def test_whatever_folders_are_called_no_image_is_given_a_wrong_class_or_split(built):
    found, sentence = read(built)
    event("a question" if found is None else "read")
    if found is None:
        assert "can be read in two ways" in sentence
        assert len(sentence.splitlines()) == 1
        return
    assert_none_is_wrong(found, built)


@TAKEN
@given(labelled())
def test_rows_in_any_spelling_give_each_image_its_own_label_or_none(built):
    found, sentence = read(built)
    assert found is not None, sentence
    assert_none_is_wrong(found, built)
    names = [path.rpartition("/")[2] for path in built.truth]
    if "name" not in built.rows or len({name.rpartition(".")[0] for name in names}) == len(names):
        assert found.keys() == built.truth.keys()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_grammar_spells_rows_apart(name):
    assert ROWS[name]("a/b/1.png", "a/") == {
        "as it lies": "a/b/1.png", "below the wrapper": "b/1.png", "below another folder": "home/me/a/b/1.png",
        "without its ending": "b/1", "another case of the ending": "a/b/1.PNG", "with spaces": " a/b/1.png ",
        "the name alone": "1.png", "the name without its ending": "1",
    }[name]  # fmt: skip
