"""Collections as people have them, with files of labels, companions and things that are no images among them."""

import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.records import Reject, SourceImage, read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import Asked, SourceSpec
from gan.errors import DatasetError

HEIC = b"\0\0\0\x18ftypheic" + bytes(20)
MP4 = b"\0\0\0\x18ftypisom" + bytes(20)


def picture(seed, format="PNG"):
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, format)
    return out.getvalue()


def png(*paths):
    return {path: picture(seed) for seed, path in enumerate(paths)}


def parquet(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def written(root, files, *, packed):
    """Write files as a folder or a zip."""
    if packed:
        root.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(root.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in files.items():
                archive.writestr(path, data)
        return root.with_suffix(".zip")
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data if isinstance(data, bytes) else data.encode())
    return root


def opened(tmp_path, files, *, packed=False, **options):
    source = written(tmp_path / "set", files, packed=packed)
    return open_source(SourceSpec(str(source), **options), tmp_path / "scratch")


def found(source):
    """Return the class of each image by path, and the reason of each reject."""
    records = list(read_all(source))
    assert len(records) == len(source)
    names = (*source.class_names, None)
    images = {each.path: names[each.label] for each in records if isinstance(each, SourceImage)}
    rejects = {each.path: each.reason for each in records if isinstance(each, Reject)}
    companions = sum(source.census.companions.values())
    assert source.census.files == len(records) - source.census.absent + companions
    return images, rejects


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("files", "rows"),
    [
        (("00000/0.png", "00000/1.png"), ("00000/0.png", "00000/1.png")),
        (("00000/0.png", "00000/1.png"), ("0.png", "1.png")),
        (("00000/0.png", "00000/1.png"), ("mine/00000/0.png", "mine/00000/1.png")),
        (("a/b/0.png", "a/b/1.png"), ("b/0.png", "b/1.png")),
        (("0.png", "1.png"), ("images/0.png", "images/1.png")),
        (("0.png", "1.png"), ("0", "1")),
        (("0.PNG", "1.png"), ("0.png", "1.PNG")),
        (("x/0.png", "y/1.png"), ("0.png", " 1.png ")),
        (("caf\u00e9/0.png", "y/1.png"), ("cafe\u0301/0.png", "y/1.png")),
    ],
)
def test_a_row_names_its_file_in_every_spelling(tmp_path, files, rows, packed):
    text = json.dumps({"labels": [[rows[0], 5], [rows[1], [0, 0, 0, 1]]]})
    images, rejects = found(opened(tmp_path, {**png(*files), "dataset.json": text}, packed=packed))
    assert sorted(images.values()) == ["3", "5"]
    assert rejects == {}
    (tmp_path / "given.csv").write_text(
        f"{rows[0]},cat\n{rows[1]},dog\n" if "." in rows[0] else "path,label\n0,cat\n1,dog"
    )
    source = opened(tmp_path / "again", png(*files), packed=packed, labels=str(tmp_path / "given.csv"))
    assert sorted(found(source)[0].values()) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("files", "rows", "left"),
    [
        (("a/0.png", "b/0.png"), ("0.png",), 2),  # which of them?
        (("a/0.png",), ("b/0.png",), 1),
        (("0.png",), ("train/0.png", "test/0.png"), 1),
        (("0.png",), ("test/0.png",), 1),  # of another split than what is here, most likely
        (("0.png", "0.jpg"), ("0",), 2),
    ],
)
def test_a_row_that_may_mean_another_file_names_none(tmp_path, files, rows, left):
    text = "path,label\n" + "".join(f"{row},c{at}\n" for at, row in enumerate(rows))
    images, rejects = found(opened(tmp_path, {**png(*files), "labels.csv": text}))
    assert images == {}
    assert list(rejects.values()).count("no row in the file of labels") == left


def table(rows, head="file_name,label\n"):
    return head + "".join(f"{path},{label}\n" for path, label in rows.items())


CATS = {"0.png": "cat", "1.png": "dog", "2.png": "dog", "3.png": "cat"}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("place", "name", "data"),
    [
        ("train/", "metadata.csv", table(CATS)),
        ("", "metadata.csv", table(CATS)),
        ("", "metadata.parquet", parquet(file_name=list(CATS), label=list(CATS.values()), box=[[1]] * 4)),
        ("", "train.csv", table({path[:-4]: label for path, label in CATS.items()}, "id,category\n")),
        ("", "_classes.csv", "filename, cat, dog\n0.png,1,0\n1.png,0,1\n2.png,0,1\n3.png,1,0\n"),
        ("", "labels.txt", "0.png cat\n1.png dog\n2.png dog\n3.png cat\n"),
        ("", "list.txt", "0.png\tcat\n1.png\tdog\n2.png\tdog\n3.png\tcat\n"),
        ("", "labels.csv", table(CATS).encode("utf-16")),
        ("", "labels.csv", table(CATS).encode("utf-8-sig")),
        ("", "labels.csv", "id,name,label\n" + "".join(f"7{at},{path},{CATS[path]}\n" for at, path in enumerate(CATS))),
    ],
)
def test_labels_lie_where_they_lie(tmp_path, place, name, data, packed):
    files = {**png(*(place + path for path in CATS)), place + name: data}
    source = opened(tmp_path, files, packed=packed)
    assert found(source) == (CATS, {})


def test_other_letters_than_utf8_are_read(tmp_path):
    names = {"0.png": "Löwe", "1.png": "Bär", "2.png": "Löwe", "3.png": "Käfer mit Flügeln über der Straße"}
    source = opened(tmp_path, {**png(*names), "labels.csv": table(names).encode("cp1252")})
    assert found(source)[0] == names
    (note,) = source.notes
    assert note.startswith("labels.csv is read as cp125")
    assert note.endswith(", which its letters look like: save it as UTF-8 if class names come out wrong")


def test_each_folder_may_have_its_metadata(tmp_path):
    files = png("a/0.png", "a/1.png", "b/2.png", "b/3.png")
    files |= {
        f"{each}/metadata.csv": table(rows)
        for each, rows in (("a", {"0.png": "x", "1.png": "y"}), ("b", {"2.png": "y", "3.png": "x"}))
    }
    source = opened(tmp_path, files)
    assert found(source)[0] == {"a/0.png": "x", "a/1.png": "y", "b/2.png": "y", "b/3.png": "x"}
    assert source.notes == ("the labels are those of a/metadata.csv, b/metadata.csv",)
    files["a/metadata.csv"] = "file_name,caption\n0.png,a cat\n1.png,two cats\n"
    source = opened(tmp_path / "captions", files)
    assert source.class_names == ("a", "b")
    assert source.notes[0].startswith("a/metadata.csv is not used: a/metadata.csv, line 1: no label in the columns")


def test_a_table_that_is_not_used_is_named(tmp_path):
    source = opened(tmp_path, {**png("cat/0.png", "dog/1.png"), "train.csv": "id,label\n0,x\n1,y\n", "README.md": "x"})
    assert source.class_names == ("cat", "dog")
    assert source.notes == ("train.csv is not used: the folders are the classes",)
    source = opened(tmp_path / "flat", {**png("0.png", "1.png"), "labels.txt": "cat\ndog\n"})
    assert source.notes == ("labels.txt is not used: no row of it names an image with its label",)


def test_several_tables_that_fit_are_a_question(tmp_path):
    files = {**png(*CATS), "one.csv": table(CATS), "two.csv": table(dict.fromkeys(CATS, "x"))}
    with pytest.raises(DatasetError, match=r"several files may hold the labels \(one\.csv, two\.csv\): name one"):
        opened(tmp_path, files)
    assert opened(tmp_path, files, labels="none").class_names == ()


def test_a_contest_keeps_the_labels_of_its_test_images(tmp_path):
    files = png("train/a.png", "train/b.png", "test/c.png", "test/d.png")
    source = opened(tmp_path, {**files, "train.csv": "id,label\na,cat\nb,cat\n", "sample.csv": "id,label\nc,\nd,\n"})
    assert found(source) == ({"train/a.png": "cat", "train/b.png": "cat"}, {})
    assert not source.has_split
    assert "2 images are left out, each is held out by the source, but nothing says what it shows" in source.notes
    assert source.census.companions["images that are left out"] == 2


def test_tiny_imagenet(tmp_path):
    train = png(*(f"tiny/train/n0{kind}/images/{kind}_{index}.JPEG" for kind in (1, 2, 3) for index in range(4)))
    val = png(*(f"tiny/val/images/val_{index}.JPEG" for index in range(3)))
    test = png(*(f"tiny/test/images/test_{index}.JPEG" for index in range(5)))
    rows = "".join(f"val_{index}.JPEG\tn0{index + 1}\t0\t32\t44\t62\n" for index in range(3))
    boxes = {f"tiny/train/n0{kind}/n0{kind}_boxes.txt": "x\t0\t0\t1\t1\n" for kind in (1, 2, 3)}
    words = {"tiny/val/val_annotations.txt": rows, "tiny/wnids.txt": "n01\nn02\nn03\n"}
    source = opened(tmp_path, {**train, **val, **test, **boxes, **words})
    images, rejects = found(source)
    assert source.class_names == ("n01", "n02", "n03")
    assert {path: name for path, name in images.items() if path.startswith("val")} == {
        f"val/images/val_{index}.JPEG": f"n0{index + 1}" for index in range(3)
    }
    assert all(name in path for path, name in images.items() if path.startswith("train"))
    assert (len(images), rejects, source.has_split) == (15, {}, True)
    assert source.census.companions["images that are left out"] == 5
    assert source.notes == (
        "5 images are left out, each lies in «tiny/test/images»: "
        "it has no class folders, and the images to train on have",
    )


def test_every_file_is_an_image_a_companion_or_a_reject(tmp_path):
    files = png("cat/0.png", "dog/1.png") | {
        "cat/photo.jfif": picture(2, "JPEG"), "cat/scan.ppm": picture(3, "PPM"), "dog/new.avif": picture(4, "AVIF"),
        "dog/noending": picture(5, "WEBP"), "dog/odd.dat": picture(6, "GIF"), "cat/phone.HEIC": HEIC,
        "cat/x.npy": b"\x93NUMPY\1\0", "film.mp4": MP4, "LICENSE": "x", "cat/Thumbs.db": b"x",
        ".DS_Store": b"x", "__MACOSX/cat/._0.png": b"x", "cat/0.xml": "<a/>", "_SUCCESS": b"", "notes.md": "x",
    }  # fmt: skip
    source = opened(tmp_path, files)
    images, rejects = found(source)
    assert sorted(images) == [
        "cat/0.png", "cat/photo.jfif", "cat/scan.ppm", "dog/1.png", "dog/new.avif", "dog/noending", "dog/odd.dat",
    ]  # fmt: skip
    assert rejects == {
        "cat/phone.HEIC": "HEIC needs the package pillow-heif",
        "cat/x.npy": "no known sort of image",
        "film.mp4": "no known sort of image",
    }
    assert source.census.companions == {
        "left behind by systems": 3, "documents": 2, "tables and annotations": 1, "empty files": 1
    }  # fmt: skip
    config = DataConfig(resolution=8, holdout_fraction=0.3, min_class_images=1, max_reject_share=0.5)
    built = build_dataset(source, config, tmp_path / "out", work=tmp_path / "w", quarantine=tmp_path / "q.jsonl")
    assert (built.files.files, built.files.images, built.files.rejects) == (17, 7, 3)


def test_a_class_of_which_nothing_can_be_read_is_named(tmp_path):
    files = {
        f"{kind}/{index}.png": picture(20 * at + index) for at, kind in enumerate(("cat", "dog")) for index in range(20)
    }
    files |= {f"bird/{index}.heic": HEIC for index in range(9)}
    config = DataConfig(resolution=8, holdout_fraction=0.3)
    options = {"work": tmp_path / "w", "quarantine": tmp_path / "q.jsonl"}
    with pytest.raises(
        DatasetError, match=r"9 of 49 files of set are rejected.*\(9 HEIC needs the package pillow-heif\)"
    ):
        build_dataset(opened(tmp_path, files), config, tmp_path / "none", **options)
    loose = config.model_copy(update={"max_reject_share": 1.0})
    built = build_dataset(opened(tmp_path, files), loose, tmp_path / "out", **options)
    assert (
        "class bird is left out: of its images none remain to train on, for all are rejected or held out" in built.notes
    )


def test_a_linked_class_folder_counts_with_what_it_holds(tmp_path):
    files = png("set/cat/0.png", "set/dog/1.png", "else/2.png", "else/3.png", "else/4.png")
    written(tmp_path, files, packed=False)
    (tmp_path / "set" / "bird").symlink_to("../else")
    source = open_source(SourceSpec(str(tmp_path / "set")), tmp_path / "scratch")
    assert source.class_names == ("bird", "cat", "dog")
    assert found(source)[1] == {f"bird/{index}.png": "symbolic link" for index in (2, 3, 4)}


@pytest.mark.parametrize(
    ("asked", "classes", "splits", "left"),
    [
        ({"classes_from": "2"}, {"cat", "dog"}, {None}, 0),
        ({"classes_from": "1"}, {"one", "two"}, {None}, 0),
        ({"classes_from": "-1"}, {"cat", "dog"}, {None}, 0),
        ({"classes_from": r"/(c|d)[^/]*/"}, {"c", "d"}, {None}, 0),
        ({"classes_from": "none"}, {None}, {None}, 0),
        ({"classes_from": "2", "train": "one/*", "test": "two/*"}, {"cat", "dog"}, {"train", "test"}, 0),
        ({"test": "two/*"}, {"cat", "dog"}, {"train", "test"}, 0),
        ({"train": "one/*"}, {"cat", "dog"}, {None}, 4),
        ({"exclude": ("two/*",)}, {"cat", "dog"}, {None}, 4),
    ],
)  # fmt: skip
def test_a_person_says_what_folders_mean(tmp_path, asked, classes, splits, left):
    files = png(
        *(f"{fold}/{kind}/{fold}{index}.png" for fold in ("one", "two") for kind in ("cat", "dog") for index in (1, 2))
    )
    with pytest.raises(DatasetError, match="two ways"):
        opened(tmp_path, files)
    source = opened(tmp_path, files, asked=Asked(**asked))
    images, rejects = found(source)
    assert (set(images.values()), rejects) == (classes, {})
    assert {each.split for each in read_all(source)} == splits
    assert sum(source.census.companions.values()) == left
    assert source.asked == asked


def test_splits_from_a_part_of_the_path(tmp_path):
    files = png("cat_train/0.png", "cat_test/1.png", "dog_train/2.png", "dog_val/3.png", "odd/4.png")
    asked = Asked(split_from="_([a-z]+)/", classes_from="^[a-z]+")
    source = opened(tmp_path, files, asked=asked)
    assert found(source) == (
        {"cat_train/0.png": "cat", "cat_test/1.png": "cat", "dog_train/2.png": "dog", "dog_val/3.png": "dog"},
        {"odd/4.png": "no split by --split-from"},
    )
    assert source.has_split


def test_columns_that_a_person_names(tmp_path):
    text = "picture,kind,label\n0.png,cat,7\n1.png,dog,8\n"
    files = {**png("0.png", "1.png"), "labels.csv": text}
    source = opened(tmp_path, files, asked=Asked(path_column="picture", label_column="kind"))
    assert found(source)[0] == {"0.png": "cat", "1.png": "dog"}
    with pytest.raises(
        DatasetError, match=r"labels\.csv, line 1: no column 'shape' in the columns 'picture, kind, label'"
    ):
        opened(tmp_path, files, asked=Asked(path_column="picture", label_column="shape"))


def test_what_is_said_of_folders_is_for_folders(tmp_path):
    (tmp_path / "x.csv").write_text("0.png,a\n")
    for spec in (
        SourceSpec("digits", asked=Asked(exclude=("a/*",))),
        SourceSpec("some/name", "huggingface", asked=Asked(classes_from="1")),
    ):
        with pytest.raises(DatasetError, match="is for folders of images, and"):
            spec.require()
    SourceSpec("some/name", "huggingface", asked=Asked(label_column="kind")).require()
    with pytest.raises(DatasetError, match="--labels none says that there are no labels, --label-column where"):
        SourceSpec(str(tmp_path), labels="none", asked=Asked(label_column="kind")).require()
    with pytest.raises(DatasetError, match="--labels and --classes-from both say"):
        SourceSpec(str(tmp_path), labels=str(tmp_path / "x.csv"), asked=Asked(classes_from="1")).require()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"classes_from": "("}, r"--classes-from «\(» is neither a number nor a regular expression"),
        ({"classes_from": "(a)(b)"}, "has 2 groups: mark the part"),
        ({"classes_from": "0"}, "--classes-from 0 names no folder: count from 1"),
        ({"split_from": "1", "train": "a/*"}, "both say what is held out"),
        ({"classes_from": "1", "label_column": "y"}, "both say what the classes are"),
        ({"label_column": "kind"}, "no file of labels was found in .* whose columns those are"),
        ({"train": "*", "test": "c*"}, "--train and --test both name cat/0.png of "),
        ({"train": "x*"}, "by --train no image of .* is there to train on"),
        ({"label_column": "https://a:b@host/"}, "credential|password"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(tmp_path, asked, words):
    with pytest.raises(DatasetError.__mro__[1], match=words):
        opened(tmp_path, png("cat/0.png", "dog/1.png"), asked=Asked(**asked))
