"""Tables of pixels as Kaggle has them."""

import gzip
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from gan.data.records import PART_IMAGES, read_all
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError

COUNT, SIDE = 12, 5
IMAGES = np.random.default_rng(4).integers(0, 256, (COUNT, SIDE, SIDE), np.uint8)
LABELS = np.arange(COUNT) * 7 % 3


def table(images, labels=None, form="pixel{}", delimiter=","):
    names = [form.format(index) for index in range(images[0].size)]
    rows = [names, *(map(str, image.ravel()) for image in images)]
    if labels is not None:
        rows = [[label, *row] for label, row in zip(["label", *map(str, labels)], rows, strict=True)]
    return "".join(delimiter.join(row) + "\n" for row in rows).encode()


def place(root, **files):
    root.mkdir(exist_ok=True)
    for name, data in files.items():
        (root / f"{name}.csv").write_bytes(data)
    return root


def opened(path, tmp_path, **options):
    return open_source(SourceSpec(str(path), **options), tmp_path / "scratch")


def of(source):
    records = list(read_all(source))
    assert len(records) == len(source) == sum(map(len, source.parts()))
    return records


def same(records, images, labels=None, split=None):
    assert np.array_equal(np.stack([record.pixels[..., 0] for record in records]), images)
    assert [record.label for record in records] == ([-1] * len(images) if labels is None else list(labels))
    assert {record.split for record in records} == {split}
    return True


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_alone_packed_or_not(tmp_path, delimiter):
    data = table(IMAGES, LABELS, delimiter=delimiter)
    (tmp_path / "set.csv").write_bytes(data)
    (tmp_path / "set.csv.gz").write_bytes(gzip.compress(data))
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("deep/train.csv", data)
    for name in ("set.csv", "set.csv.gz", "set.zip"):
        source = opened(tmp_path / name, tmp_path)
        assert (source.kind, source.class_names, source.notes) == ("csv", ("0", "1", "2"), ())
        assert same(of(source), IMAGES, LABELS)
    assert opened(tmp_path / "set.csv", tmp_path, labels="none").class_names == ()


def test_kaggle_s_test_table_without_labels_is_left_out_and_counted(tmp_path):
    root = place(tmp_path / "set", train=table(IMAGES, LABELS), test=table(IMAGES[:5]))
    place(root, sample_submission=b"ImageId,Label\n1,0\n")
    source = opened(root, tmp_path)
    assert source.notes == ("5 images of test.csv have no labels and are left out",)
    assert not source.has_split
    assert same(of(source), IMAGES, LABELS)


def test_colours_that_are_called_so(tmp_path):
    images = np.random.default_rng(7).integers(0, 256, (COUNT, 4, 4, 3), np.uint8)
    names = ["label", *(f"{colour}{index}" for colour in "rgb" for index in range(16))]
    rows = [names, *([0, *image.reshape(16, 3).T.ravel()] for image in images)]
    data = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    records = of(opened(place(tmp_path / "set", a=data), tmp_path))
    assert np.array_equal(np.stack([record.pixels for record in records]), images)


def test_two_tables_with_labels_are_a_split(tmp_path):
    files = {"sign_mnist_train": table(IMAGES, LABELS), "sign_mnist_test": table(IMAGES[:5] ^ 1, LABELS[:5])}
    records = of(opened(place(tmp_path / "set", **files), tmp_path))
    assert same(records[:COUNT], IMAGES, LABELS, "train")
    assert same(records[COUNT:], IMAGES[:5] ^ 1, LABELS[:5], "test")
    assert records[0].path == "sign_mnist_train.csv/0"


def test_a_table_without_any_labels_has_no_classes(tmp_path):
    source = opened(place(tmp_path / "set", images=table(IMAGES)), tmp_path)
    assert source.class_names == ()
    assert same(of(source), IMAGES)


def fer(usages, images=IMAGES):
    rows = zip(LABELS, images, usages, strict=True)
    lines = [f"{label},{' '.join(map(str, image.ravel()))},{usage}\n" for label, image, usage in rows]
    return "".join(["emotion,pixels,Usage\n", *lines]).encode()


def test_pixels_in_one_column_with_the_split_beside_them(tmp_path):
    usages = ["Training"] * 6 + ["PrivateTest"] * 3 + ["PublicTest"] * 3
    source = opened(place(tmp_path / "set", fer2013=fer(usages)), tmp_path)
    records = of(source)
    assert source.has_split
    assert same(records[:9], IMAGES[[0, 1, 2, 3, 4, 5, 9, 10, 11]], LABELS[[0, 1, 2, 3, 4, 5, 9, 10, 11]], "train")
    assert same(records[9:], IMAGES[6:9], LABELS[6:9], "test")
    assert [record.path.rpartition("/")[2] for record in records[5:8]] == ["5", "9", "10"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", "b"] * 6, ("a", "b")),
        (["3.0", "11.0"] * 6, ("3", "11")),
        (["1", "nan", "NaN", ""] * 3, ("1",)),
    ],
)
def test_labels_are_understood_however_they_are_written(tmp_path, labels, names):
    assert opened(place(tmp_path / "set", a=table(IMAGES, labels)), tmp_path).class_names == names


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (table(IMAGES, LABELS) + b"1,2\n", "broken .*Expected 26 columns, got 2"),
        (table(IMAGES / 255, LABELS), "broken .*invalid value '0"),
        (table(IMAGES.astype(int) + 200, LABELS), "broken .*invalid value '2"),
        (table(IMAGES - np.int64(1) * 300, LABELS), "broken .*invalid value '-"),
        (table(IMAGES, LABELS).replace(b",255", b","), "broken .*invalid value ''"),
        (table(IMAGES, LABELS).partition(b"\n")[0] + b"\n", "is a table of pixels, but broken|has no rows"),
        (table(IMAGES.repeat(3, 1), LABELS), "three colours|no square"),
        (fer(["Training", "PublicTest"] * 6).replace(b" ", b"  ", 1), "broken"),
        (fer(["Training"] * 12, IMAGES[:, :4]), "rows of 20 pixels, which are no square"),
        (fer(["Training"] * 12).replace(b"\n1,", b'\n1,"1 2\n3 4",Training\n1,', 1), "broken|line ends"),
        (fer(["Training"] * 12).replace(b"Training", b"\xff", 1), "broken .*UTF8"),
    ],
)
def test_a_broken_table_is_refused_in_a_sentence(tmp_path, data, words):
    root = place(tmp_path / "set", a=data)
    with pytest.raises(DatasetError, match=words) as caught:
        opened(root, tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert "a.csv" in str(caught.value)
    assert not list((tmp_path / "scratch").glob(".*")), "no draft is left"


def test_several_sets_are_asked_about(tmp_path):
    root = place(tmp_path / "set", digits=table(IMAGES, LABELS), letters=table(IMAGES, LABELS))
    with pytest.raises(DatasetError, match=r"tables of several sets \(digits\.csv, letters\.csv\)"):
        opened(root, tmp_path)


def test_a_split_that_changes_with_every_row_is_refused_where_there_are_too_many(tmp_path):
    images = np.zeros((3000, 4, 4), np.uint8)
    lines = [f"0,{' '.join(map(str, image.ravel()))},{'Training' if index % 2 else 'PublicTest'}\n" for index, image in
             enumerate(images)]  # fmt: skip
    root = place(tmp_path / "set", a="".join(["emotion,pixels,Usage\n", *lines]).encode())
    with pytest.raises(DatasetError, match="changes its split more than 1,000 times"):
        opened(root, tmp_path)


def test_zeros_and_ones_are_black_and_white(tmp_path):
    source = opened(place(tmp_path / "set", a=table(IMAGES % 2, LABELS)), tmp_path)
    assert "0 and 1 alone" in source.notes[0]
    assert same(of(source), (IMAGES % 2) * np.uint8(255), LABELS)


def test_a_large_table_is_cut_into_parts_and_read_once(tmp_path):
    count = PART_IMAGES + 50
    images = np.random.default_rng(1).integers(0, 256, (count, 4, 4), np.uint8)
    root = place(tmp_path / "set", a=table(images, np.arange(count)))
    source = opened(root, tmp_path)
    parts = [pickle.loads(pickle.dumps(part)) for part in source.parts()]
    assert [len(part) for part in parts] == [PART_IMAGES, 50]
    assert same([record for part in parts for record in part.read()], images, range(count))
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()}
    assert [part.identity() for part in opened(root, tmp_path).parts()] == [part.identity() for part in parts]
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()} == made


def test_neither_pandas_nor_torch_is_loaded(tmp_path):
    root = place(tmp_path / "set", a=table(IMAGES, LABELS))
    code = (
        "import sys\nfrom pathlib import Path\nfrom gan.data.sources.detect import open_source\n"
        "from gan.data.sources.spec import SourceSpec\nfrom gan.data.records import read_all\n"
        f"print(len(list(read_all(open_source(SourceSpec({str(root)!r}), Path({str(tmp_path)!r}))))))\n"
        "print({'pandas', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["12", "set()"], done.stderr
