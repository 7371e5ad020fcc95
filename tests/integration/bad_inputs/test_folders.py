"""Folders with things in them that are no image files, names of every sort, copies, and labels that do not fit."""

import json
import os
import socket
import subprocess
import unicodedata

import pytest

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError

pytestmark = pytest.mark.integration


def ingested(zoo, root, **changes):
    outcome = zoo.ingest(root, **changes)
    assert outcome.has(zoo.good)
    return outcome


def test_links_pipes_sockets_and_devices_are_never_opened(zoo):
    root = zoo.folder()
    secret = zoo.given / "secret.png"
    secret.write_bytes(zoo.encode(zoo.pixels(0)))
    (zoo.given / "elsewhere").mkdir()
    (zoo.given / "elsewhere" / "x.png").write_bytes(zoo.encode(zoo.pixels(1)))
    (root / "cat" / "link.png").symlink_to(secret)
    (root / "cat" / "dangling.png").symlink_to("nowhere.png")
    (root / "cat" / "loop.png").symlink_to("loop.png")
    (root / "fish").symlink_to(zoo.given / "elsewhere")
    (root / "cat" / "up").symlink_to("../..")
    os.mkfifo(root / "cat" / "pipe.png")  # opening it to read would wait for a writer for ever
    os.mkfifo(root / "cat" / "pipe.txt")
    here = os.getcwd()
    os.chdir(root / "cat")  # a socket's path is limited to 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
    os.chdir(here)
    outcome = ingested(zoo, root)
    assert outcome.rejects == {
        "cat/link.png": "symbolic link",
        "cat/dangling.png": "symbolic link",
        "cat/loop.png": "symbolic link",
        "cat/up": "symbolic link",
        "fish/x.png": "symbolic link",
        "cat/pipe.png": "not a regular file",
        "cat/socket.png": "not a regular file",
    }
    assert not outcome.has([zoo.pixels(0)])
    assert not outcome.has([zoo.pixels(1)])


def test_the_folder_itself_may_be_given_through_a_link(zoo):
    link = zoo.given / "link"
    link.symlink_to(zoo.folder())
    assert ingested(zoo, link).info.name == "set"


def test_a_folder_called_like_an_image_and_one_with_no_image(zoo):
    root = zoo.folder({"x.png/a.png": zoo.encode(zoo.pixels(0)), "x.png/b.png": zoo.encode(zoo.pixels(1))})
    (root / "cat" / "y.png").mkdir()
    (root / "empty").mkdir()
    (root / "dog" / "deeper" / "still").mkdir(parents=True)
    outcome = ingested(zoo, root, min_class_images=1)
    assert outcome.info.class_names == ("cat", "dog", "x.png")
    assert outcome.rejects == {}
    assert "the class folder empty holds no image" in outcome.notes


def test_what_systems_leave_behind_is_no_image(zoo):
    root = zoo.folder({".hidden.png": b"x", "cat/._00.png": b"x", "__MACOSX/cat/00.png": b"x", ".git/y.png": b"x"})
    assert ingested(zoo, root).rejects == {}


def test_images_beside_the_class_folders_have_no_class(zoo):
    outcome = ingested(zoo, zoo.folder({"loose.png": zoo.encode(zoo.pixels(0))}))
    assert outcome.rejects == {"loose.png": "lies beside the class folders, so has no class"}


def test_names_in_every_script_and_of_every_length(zoo):
    cafe = "café"
    names = [
        f"{unicodedata.normalize('NFC', cafe)}.png",
        f"{unicodedata.normalize('NFD', cafe)}.png",
        "🐈‍⬛.png",
        "\u202egnp.שלום.png",
        "مرحبا.png",
        "a b\tc\nd\x1b[2J'\"\\,;.png",
        "-rf.png",
        "%2e%2e%2fx.png",
        "C:x.png",
        "x" * 251 + ".png",
        "UPPER.PNG",
    ]
    images = {f"cat/{name}": zoo.pixels(index) for index, name in enumerate(names)}
    outcome = ingested(zoo, zoo.folder({name: zoo.encode(image) for name, image in images.items()}))
    assert outcome.rejects == {}
    assert outcome.has(images.values())


def test_names_that_are_no_text_at_all(zoo):
    root = zoo.folder()
    images = [zoo.pixels(index) for index in range(3)]
    for name, image in zip((b"caf\xe9.png", b"caf\xe8.png", b"\xed\xa0\x80.png"), images, strict=True):
        with open(os.fsencode(root / "cat") + b"/" + name, "wb") as file:
            file.write(zoo.encode(image))
    with open(os.fsencode(root / "dog") + b"/\xff.png", "wb") as file:
        file.write(b"no image")
    outcome = ingested(zoo, root)
    assert outcome.has(images)
    assert outcome.rejects == {"dog/\ufffd.png": "not an image"}


def test_a_class_and_a_set_whose_names_are_no_text(zoo):
    root = zoo.folder()
    strange = os.fsdecode(os.fsencode(zoo.given) + b"/s\xe9t\n")
    os.rename(root, strange)
    os.rename(os.path.join(strange, "dog"), os.fsdecode(os.fsencode(strange) + b"/d\xf6g"))
    outcome = ingested(zoo, strange)
    assert outcome.info.name == "s\ufffdt\n"
    assert outcome.info.class_names == ("cat", "d\ufffdg")


def test_a_sentence_stays_one_line_whatever_the_folder_is_called(zoo):
    root = zoo.given / "two\nlines\x1b[2J"
    root.mkdir()
    assert zoo.refuse(root).startswith("no image was found")


def test_folders_within_folders_to_the_limit_of_the_system(zoo):
    root = zoo.folder()
    deepest = root / "cat"
    for _ in range(150):
        deepest = deepest / "/".join("abcdefgh")
        deepest.mkdir(parents=True)
    (deepest / "deep.png").write_bytes(zoo.encode(zoo.pixels(0)))
    try:
        outcome = ingested(zoo, root)
        assert outcome.rejects == {}
        assert outcome.has([zoo.pixels(0)])
    finally:  # pytest itself could not remove it
        subprocess.run(["rm", "-r", str(root)], check=True)


def test_an_empty_folder_and_one_without_images(zoo):
    root = zoo.given / "empty"
    root.mkdir()
    assert zoo.refuse(root).startswith(f"no image was found in {root}: give a folder")
    (root / "readme.txt").write_text("nothing here")
    assert zoo.refuse(root).startswith(f"no image was found in {root}: give a folder")


def test_what_is_no_folder_and_no_archive(zoo):
    text, pipe, image = (zoo.given / name for name in ("a.txt", "pipe", "a.png"))
    text.write_text("a,b\n")
    os.mkfifo(pipe)
    image.write_bytes(zoo.encode(zoo.pixels(0)))
    for path in (text, image):
        assert zoo.refuse(path).startswith(f"{path} is a file, but no zip, tar or Parquet file")
    assert zoo.refuse(pipe).startswith(f"{pipe} is neither a file nor a folder")
    assert zoo.refuse(zoo.given / "nothing").startswith(f"there is nothing at {zoo.given / 'nothing'}")
    assert "nul" in zoo.refuse("nul\0byte")
    assert "cannot be read" in zoo.refuse("x" * 5000)


def test_copies_are_found_within_and_across_classes(zoo):
    root = zoo.folder()
    again = zoo.encode(zoo.good[0])
    (root / "cat" / "copy.png").write_bytes(again)
    (root / "cat" / "copy.bmp").write_bytes(zoo.encode(zoo.good[0], "BMP"))
    (root / "dog" / "copy.png").write_bytes(again)
    outcome = ingested(zoo, root)
    assert outcome.rejects == {
        "cat/copy.bmp": "duplicate",
        "cat/copy.png": "duplicate",
        "dog/copy.png": "duplicate with another label",
    }
    assert set(outcome.details.values()) == {"of cat/00.png"}


def test_copies_across_the_splits_stay_in_the_holdout(zoo):
    good = zoo.good_files()
    root = zoo.given / "set"
    for number, (path, data) in enumerate(good.items()):
        file = root / ("test" if number % 3 == 0 else "train") / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (root / "train" / "cat" / "leak.png").write_bytes(good["cat/00.png"])
    (root / "train" / "dog" / "wrong.png").write_bytes(good["cat/06.png"])
    outcome = ingested(zoo, root)
    assert outcome.info.split == "source"
    assert (outcome.info.num_train, outcome.info.num_test) == (16, 8)
    assert outcome.rejects == {
        "train/cat/leak.png": "in the holdout too",
        "train/dog/wrong.png": "duplicate with another label",
    }
    assert outcome.details["train/cat/leak.png"] == "of test/cat/00.png"


def test_a_stray_image_beside_the_splits_does_not_make_classes_of_them(zoo):
    root = zoo.given / "set"
    for number, (path, data) in enumerate(zoo.good_files().items()):
        file = root / ("test" if number % 3 == 0 else "train") / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (root / "preview.png").write_bytes(zoo.encode(zoo.pixels(0)))
    outcome = ingested(zoo, root)
    assert (outcome.info.class_names, outcome.info.split) == (("cat", "dog"), "source")
    assert set(outcome.rejects) == {"preview.png"}


def test_an_empty_test_folder_makes_no_split(zoo):
    root = zoo.given / "set"
    for path, data in zoo.good_files().items():
        (root / "train" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "train" / path).write_bytes(data)
    (root / "test").mkdir()
    outcome = ingested(zoo, root)
    assert outcome.info.split == "hash"
    assert outcome.info.class_names == ("cat", "dog")


def test_files_that_change_between_listing_and_reading(zoo):
    root = zoo.folder({f"cat/x{index}.png": zoo.encode(zoo.pixels(index)) for index in range(4)})
    source = open_source(SourceSpec(str(root)), zoo.made / "scratch")
    (root / "cat" / "x0.png").unlink()
    (root / "cat" / "x1.png").write_bytes(b"")
    (root / "cat" / "x2.png").unlink()
    (root / "cat" / "x2.png").symlink_to("00.png")
    (root / "cat" / "x3.png").write_bytes(zoo.encode(zoo.pixels(9, 20, 20)))
    config = DataConfig(resolution=8, holdout_fraction=0.3, max_reject_share=0.2)
    quarantine = zoo.made / "quarantine.jsonl"
    built = build_dataset(source, config, zoo.made / "data", work=zoo.made / "parts", quarantine=quarantine)
    assert built.info.rejects == {"cannot be read": 1, "empty file": 1, "symbolic link": 1}
    assert built.info.num_train + built.info.num_test == 25


def test_what_may_not_be_read(zoo):
    root = zoo.folder({"cat/locked.png": zoo.encode(zoo.pixels(0))})
    (root / "cat" / "locked.png").chmod(0)
    if os.access(root / "cat" / "locked.png", os.R_OK):
        pytest.skip("this user may read everything")
    assert ingested(zoo, root).rejects == {"cat/locked.png": "cannot be read"}
    (root / "dog").chmod(0)
    try:
        with pytest.raises(DatasetError, match="/dog"):
            open_source(SourceSpec(str(root)), zoo.made / "scratch")
    finally:
        (root / "dog").chmod(0o755)


@pytest.mark.parametrize("files", [{"cat/a.png": b"x"}, {"cat/a.png": b"", "dog/b.png": b"x"}, {"a.png": b"x"}])
def test_a_folder_in_which_nothing_is_left(zoo, files):
    root = zoo.given / "set"
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    assert "set" in zoo.refuse(root, max_reject_share=1.0)
    (root / "b.png").write_bytes(zoo.encode(zoo.pixels(0)))
    assert "set" in zoo.refuse(root, max_reject_share=1.0)


def labelled(zoo, name, text, files=None):
    """The good images without class folders, and a file of labels at the root."""
    root = zoo.given / "set"
    root.mkdir()
    for index, image in enumerate(zoo.good):
        (root / f"{index:02d}.png").write_bytes(zoo.encode(image))
    for path, data in (files or {}).items():
        (root / path).write_bytes(data)
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def rows(extra=(), without=()):
    kept = [f"{index:02d}.png,{'cat' if index % 2 else 'dog'}" for index in range(24) if index not in without]
    return "\n".join(["file,label", *kept, *extra, ""])


def test_labels_with_rows_missing_too_many_twice_and_leading_out(zoo):
    extra = ["gone.png,cat", "00.png,cat", "01.png,cat", "../secret.png,dog", "/etc/passwd,dog", "C:\\x.png,dog"]
    outcome = zoo.ingest(labelled(zoo, "labels.csv", rows(extra, without={5, 7})))
    assert outcome.rejects == {
        "05.png": "no row in the file of labels",
        "07.png": "no row in the file of labels",
        "gone.png": "named in the file of labels but not there",
        "00.png": "a second, different label",
        "../secret.png": "path outside the collection",
        "/etc/passwd": "path outside the collection",
        "C:\\x.png": "path outside the collection",
    }
    assert outcome.has([image for index, image in enumerate(zoo.good) if index not in {5, 7}])
    assert outcome.info.class_names == ("cat", "dog")


def test_an_image_without_a_label_among_labelled_ones_is_counted_or_rejected(zoo):
    outcome = zoo.ingest(labelled(zoo, "labels.csv", rows(["x.png,"]), {"x.png": zoo.encode(zoo.pixels(0))}))
    assert outcome.has(zoo.good)
    counted = sum(sum(classes.values()) for classes in outcome.info.counts.values())
    assert counted == sum(map(len, outcome.pixels.values()))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("labels.csv", b"", "labels.csv"),
        ("labels.csv", b"file,label\n", "labels.csv has no rows"),
        ("labels.csv", b"\xff\xfef\0i\0l\0e", "labels.csv, line 1: this is no UTF-8 text"),
        ("labels.csv", "a\n" * 3, "labels.csv, line 1: no path in the columns"),
        ("labels.csv", 'file,label\n"00.png,cat\n', "labels.csv, line 2"),
        ("labels.csv", "file,label\n00.png,cat,dog\n", "labels.csv, line 2: 3 cells, not 2"),
        ("labels.csv", "file,label\n00.png,99999999999999999999\n", "labels.csv, line 2: label out of range"),
        ("labels.csv", "file,label\n00.png,-7\n", "labels.csv, line 2: label out of range"),
        ("labels.csv", "file,label\n00.png,0.5\n", "labels.csv, line 2: the label '0.5' is no whole number"),
        ("labels.json", '{"00.png": ', "labels.json, line 1: no JSON"),
        ("labels.json", "[" * 100_000, "labels.json, line 1: too deeply nested"),
        ("labels.json", '{"00.png": NaN}', "labels.json, entry 1"),
        ("labels.json", '{"00.png": {"a": 1}}', "labels.json, entry 1"),
        ("dataset.json", '{"labels": [["00.png"]]}', "dataset.json, entry 1 of labels: not a pair"),
        ("labels.jsonl", '{"file": "00.png", "label": 1}\n{]\n', "labels.jsonl, line 2: no JSON"),
        ("labels.csv", "file,label\nfar.png,cat\n", "rejected, more than"),
    ],
)
def test_files_of_labels_that_make_no_sense(zoo, name, text, says):
    assert says in zoo.refuse(labelled(zoo, name, text))


def test_two_files_of_labels(zoo):
    root = labelled(zoo, "labels.csv", rows())
    (root / "labels.json").write_text(json.dumps({"00.png": 1}))
    assert "has several files of labels (labels.csv, labels.json)" in zoo.refuse(root)


def test_a_file_of_labels_that_is_no_file(zoo):
    root = labelled(zoo, "readme.txt", "x")
    os.mkfifo(root / "labels.csv")
    assert zoo.refuse(root).startswith("the labels labels.csv cannot be used (not a regular file)")
    (root / "labels.csv").unlink()
    (root / "labels.csv").symlink_to("/etc/passwd")
    assert zoo.refuse(root).startswith("the labels labels.csv cannot be used (symbolic link)")
    (root / "labels.csv").unlink()
    assert "there is no file of labels" in zoo.refuse(root, labels=root / "gone.csv")
    assert "there is no file of labels" in zoo.refuse(root, labels=root)


def test_labels_named_outright_that_are_no_text(zoo):
    root = labelled(zoo, "readme.txt", "x")
    assert "00.png, line 1: this is no UTF-8 text" in zoo.refuse(root, labels=root / "00.png")
