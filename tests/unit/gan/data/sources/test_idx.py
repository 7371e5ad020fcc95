"""IDX files: MNIST and its family."""

import gzip
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from gan.data.files.archive import tar_tree, zip_tree
from gan.data.files.tree import folder_tree
from gan.data.records import PART_IMAGES, Reject, read_all
from gan.data.sources.idx import IdxSource, is_idx
from gan.errors import DatasetError


def images_of(count, seed=0, shape=(5, 4)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def idx(array, code=0x08):
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def labels_of(count, classes=3):
    return (np.arange(count) * 7 % classes).astype(np.uint8)


def write(folder, files, compress=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in files.items():
        data = idx(array)
        (folder / (f"{name}.gz" if compress else name)).write_bytes(gzip.compress(data) if compress else data)
    return folder


def mnist(train=6, test=4):
    return {
        "train-images-idx3-ubyte": images_of(train),
        "train-labels-idx1-ubyte": labels_of(train),
        "t10k-images-idx3-ubyte": images_of(test, seed=1),
        "t10k-labels-idx1-ubyte": labels_of(test),
    }


def opened(folder, scratch):
    return IdxSource(folder_tree(folder), scratch)


@pytest.mark.parametrize("compress", [False, True])
def test_images_and_labels_of_both_splits_are_read(tmp_path, compress):
    files = mnist()
    source = opened(write(tmp_path / "mnist", files, compress), tmp_path / "scratch")
    records = list(read_all(source))
    assert (source.name, source.kind, source.has_split, source.notes) == ("mnist", "idx", True, ())
    assert source.class_names == ("0", "1", "2")
    assert len(source) == len(records) == 10
    assert [record.split for record in records] == ["train"] * 6 + ["test"] * 4
    suffix = ".gz" if compress else ""
    assert records[0].path == f"train-images-idx3-ubyte{suffix}/0"
    assert records[9].path == f"t10k-images-idx3-ubyte{suffix}/3"
    pixels = np.stack([record.pixels[..., 0] for record in records])
    assert np.array_equal(pixels[:6], files["train-images-idx3-ubyte"])
    assert np.array_equal(pixels[6:], files["t10k-images-idx3-ubyte"])
    assert [record.label for record in records] == [*labels_of(6), *labels_of(4)]


@pytest.mark.parametrize("before", ["emnist-letters-", "EMNIST-balanced-"])
def test_emnist_is_turned_upright(tmp_path, before):
    """Its files come out of Matlab, which stores columns: an L lies on its back in them."""
    letter = np.zeros((5, 4), np.uint8)
    letter[:, 0] = letter[4] = 255
    names = {f"{before}{name}": array for name, array in mnist().items()}
    names = {name.replace("t10k", "test"): array for name, array in names.items()}
    stored = [array for name, array in names.items() if "images" in name]
    stored[0][0] = letter.ravel(order="F").reshape(5, 4)
    source = opened(write(tmp_path / "set", names), tmp_path / "scratch")
    upright = next(read_all(source)).pixels[..., 0]
    assert source.notes == ("the images lie column by column in their files, as EMNIST's do, and were turned upright",)
    assert np.array_equal(upright, letter.ravel(order="F").reshape(5, 4).T)


@pytest.mark.parametrize("method", ["tar", zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_in_an_archive_are_read_too(tmp_path, method):
    folder = write(tmp_path / "mnist", mnist(), compress=True)
    if method == "tar":
        with tarfile.open(tmp_path / "a", "w") as archive:
            archive.add(folder, "MNIST/raw")
        tree = tar_tree(tmp_path / "a", "a.tar")
    else:
        with zipfile.ZipFile(tmp_path / "a", "w", method) as archive:
            for path in folder.iterdir():
                archive.write(path, f"MNIST/raw/{path.name}")
        tree = zip_tree(tmp_path / "a", "a.zip")
    in_archive = list(read_all(IdxSource(tree, tmp_path / "scratch")))
    in_folder = list(read_all(opened(folder, tmp_path / "scratch")))
    for first, second in zip(in_archive, in_folder, strict=True):
        assert first.path == f"MNIST/raw/{second.path}"
        assert (first.label, first.split) == (second.label, second.split)
        assert np.array_equal(first.pixels, second.pixels)


def test_a_single_pair_has_no_split_and_classes_are_the_labels_there_are(tmp_path):
    files = {"emnist-letters-train-images-idx3-ubyte": images_of(4)}
    files["emnist-letters-train-labels-idx1-ubyte"] = np.array([1, 26, 9, 1], np.uint8)
    source = opened(write(tmp_path / "letters", files), tmp_path / "scratch")
    assert source.class_names == ("1", "9", "26")
    assert [(record.label, record.split) for record in read_all(source)] == [(0, None), (2, None), (1, None), (0, None)]
    assert not source.has_split


def test_large_files_are_cut_into_parts_that_can_be_read_anywhere(tmp_path):
    count = 2 * PART_IMAGES + 50
    files = {"train-images.idx3-ubyte": images_of(count), "train-labels.idx1-ubyte": labels_of(count)}
    source = opened(write(tmp_path / "set", files), tmp_path / "scratch")
    parts = [pickle.loads(pickle.dumps(part)) for part in source.parts()]
    assert [len(part) for part in parts] == [PART_IMAGES, PART_IMAGES, 50]
    assert len({part.identity() for part in parts}) == 3
    assert [part.identity() for part in parts] == [part.identity() for part in source.parts()]
    records = [record for part in reversed(parts) for record in part.read()]
    by_path = {int(record.path.rsplit("/", 1)[1]): record for record in records}
    assert np.array_equal(np.stack([by_path[at].pixels[..., 0] for at in range(count)]), images_of(count))
    assert [by_path[at].label for at in range(count)] == labels_of(count).tolist()


def test_another_label_file_makes_other_parts(tmp_path):
    files = mnist()
    before = {part.identity() for part in opened(write(tmp_path / "mnist", files), tmp_path / "scratch").parts()}
    files["train-labels-idx1-ubyte"][0] = 2
    after = {part.identity() for part in opened(write(tmp_path / "mnist", files), tmp_path / "scratch").parts()}
    assert len(before - after) >= 1


def test_a_file_that_went_away_makes_rejects_and_no_crash(tmp_path):
    folder = write(tmp_path / "mnist", mnist())
    source = opened(folder, tmp_path / "scratch")
    (folder / "train-images-idx3-ubyte").unlink()
    (folder / "t10k-images-idx3-ubyte").write_bytes(b"short")
    records = list(read_all(source))
    assert len(records) == 10
    assert {record.reason for record in records if isinstance(record, Reject)} == {"cannot be read", "cut short"}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("train-images-idx3-ubyte", b"", "is empty or cannot be read: fetch it again"),
        ("train-images-idx3-ubyte", b"\0\0\x08\x03", "is no IDX file of unsigned bytes in 3 dimensions"),
        ("train-images-idx3-ubyte", idx(images_of(6))[:-1], "should be 136 bytes by its header but is 135"),
        ("train-images-idx3-ubyte", idx(images_of(6)) + b"x", "should be 136 bytes by its header but is 137"),
        ("train-images-idx3-ubyte", idx(images_of(6).astype(">f4"), 0x0D), "is no IDX file of unsigned bytes"),
        ("train-images-idx3-ubyte", idx(labels_of(6)), "is no IDX file of unsigned bytes in 3 dimensions"),
        ("train-images-idx3-ubyte", idx(images_of(5)), "has 5 images but train-labels-idx1-ubyte has 6 labels"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 0, 4), np.uint8)), "its images are 4x0 pixels"),
        ("train-images-idx3-ubyte", idx(np.zeros((6, 1, 5000), np.uint8)), "its images are 5000x1 pixels"),
        ("train-images-idx3-ubyte", idx(np.zeros((0, 5, 4), np.uint8)), r"(no|0) images"),
        (
            "train-images-idx3-ubyte",
            b"\0\0\x08\x03" + b"\xff" * 12,
            r"should be 79,228,162,458,924,105,385,300,197,391 bytes|its images are",
        ),
        ("train-labels-idx1-ubyte", idx(images_of(6)), "is no IDX file of unsigned bytes in 1 dimensions"),
        ("train-labels-idx1-ubyte", idx(labels_of(6))[:9], "should be 14 bytes by its header but is 9"),
        ("train-labels-idx1-ubyte", None, "has train-images-idx3-ubyte but not the labels that belong to it"),
    ],
)
def test_files_that_are_no_idx_or_do_not_belong_together_are_explained(tmp_path, monkeypatch, name, data, words):
    write(tmp_path / "mnist", mnist())
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mnist" / name
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(DatasetError, match=words):
        IdxSource(folder_tree(path.parent.relative_to(tmp_path)), tmp_path / "scratch")


@pytest.mark.parametrize("place", ["names", "folders"])
def test_several_datasets_in_one_place_are_refused(tmp_path, place):
    names = ("emnist-letters-", "emnist-digits-") if place == "names" else ("MNIST/", "FashionMNIST/")
    for name in names:
        folder = tmp_path / "all" / name if place == "folders" else tmp_path / "all"
        before = name if place == "names" else ""
        write(folder, {before + key: value for key, value in mnist().items()})
    with pytest.raises(DatasetError, match=r"holds several IDX datasets .* give a folder with the files of one"):
        opened(tmp_path / "all", tmp_path / "scratch")


def test_names_of_idx_files():
    for name in ("train-images-idx3-ubyte", "a/b/t10k-images.idx3-ubyte.gz", "EMNIST-mnist-Test-images-idx3-ubyte"):
        assert is_idx(name)
    for name in ("train-labels-idx1-ubyte", "images-idx3-ubyte", "train-images-idx3-ubyte.zip", "a.png"):
        assert not is_idx(name)
