"""From what a user points at to a source."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.building.file_counts import FileCounts
from gan.data.records import Reject, SourceImage, read_all
from gan.data.sources import detect
from gan.data.sources.census import Census
from gan.data.sources.detect import open_source, open_tree
from gan.data.sources.spec import Asked, SourceSpec
from gan.errors import DatasetError


def png(seed=0):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


FILES = {"cat/1.png": png(1), "dog/2.png": png(2)}


def folder_of(root, files=FILES):
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def tar_of(path, files=FILES):
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zip_of(path, files=FILES):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def opened(tmp_path, spec, **options):
    return open_source(SourceSpec(str(spec), **options), tmp_path / "scratch")


def idx_of(root):
    pixels = np.arange(40, dtype=np.uint8)
    data = b"\0\0\x08\x03" + np.array([2, 5, 4], ">u4").tobytes() + pixels.tobytes()
    return folder_of(
        root, {"train-images-idx3-ubyte": data, "train-labels-idx1-ubyte": b"\0\0\x08\x01\0\0\0\x02\0\x01"}
    )


@pytest.mark.parametrize("pack", [None, gzip.compress, bz2.compress, lzma.compress])
def test_a_folder_a_zip_and_a_tar_packed_or_not_give_the_same_images(tmp_path, pack):
    tar_of(tmp_path / "pets.tar")
    if pack:
        (tmp_path / "pets.tar").write_bytes(pack((tmp_path / "pets.tar").read_bytes()))
    specs = [folder_of(tmp_path / "pets"), zip_of(tmp_path / "pets.zip"), tmp_path / "pets.tar"]
    sources = [opened(tmp_path, spec) for spec in specs]
    for source in sources:
        assert (source.name, source.kind, source.class_names) == ("pets", "folder", ("cat", "dog"))
        records = list(read_all(source))
        assert [record.path for record in records] == ["cat/1.png", "dog/2.png"]
        for record, first in zip(records, read_all(sources[0]), strict=True):
            assert np.array_equal(record.pixels, first.pixels)


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_an_archive_may_be_named_by_a_link(tmp_path, make):
    make(tmp_path / "real.bin")
    (tmp_path / "pets.zip").symlink_to("real.bin")
    records = list(read_all(opened(tmp_path, tmp_path / "pets.zip")))
    assert [type(record) for record in records] == [SourceImage] * 2


def test_a_packed_archive_may_be_named_by_a_link(tmp_path):
    (tmp_path / "real.bin").write_bytes(gzip.compress(tar_of(tmp_path / "a.tar").read_bytes()))
    (tmp_path / "pets.tgz").symlink_to("real.bin")
    assert opened(tmp_path, tmp_path / "pets.tgz").name == "pets"


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    inner = zip_of(tmp_path / "inner.zip", {"wrong/1.png": png(9)}).read_bytes()
    source = opened(tmp_path, tar_of(tmp_path / "pets.tar", {**FILES, "extra.zip": inner}))
    assert source.class_names == ("cat", "dog")


def test_digits_need_nothing(tmp_path):
    assert opened(tmp_path, "digits").kind == "digits"
    assert opened(tmp_path, tmp_path / "nothing", kind="digits").kind == "digits"
    assert not (tmp_path / "scratch").exists()


def test_kinds_are_told_by_what_is_found(tmp_path):
    table = {"image": [{"bytes": png(1), "path": "1.png"}, {"bytes": png(2), "path": "2.png"}], "label": [0, 1]}
    (tmp_path / "table").mkdir()
    pq.write_table(pa.table(table), tmp_path / "table" / "train-0.parquet")
    folder_of(tmp_path / "bin", {"data_batch_1.bin": bytes(3073)})
    folder_of(tmp_path / "tars", {"a.tar": tar_of(tmp_path / "a", {"1.png": png(1), "1.cls": b"0"}).read_bytes()})
    kinds = {
        folder_of(tmp_path / "pets"): "folder",
        idx_of(tmp_path / "mnist"): "idx",
        tmp_path / "bin": "cifar",
        tmp_path / "table": "parquet",
        tmp_path / "table" / "train-0.parquet": "parquet",
        tmp_path / "tars": "webdataset",
        tmp_path / "tars" / "a.tar": "webdataset",
    }
    for path, kind in kinds.items():
        assert opened(tmp_path, path).kind == kind, path
        assert opened(tmp_path, path, kind=kind).kind == kind, path
        for other in {"idx", "cifar", "parquet"} - {kind}:
            with pytest.raises(DatasetError, match=rf"holds no {other} files: leave --source-kind out"):
                opened(tmp_path, path, kind=other)


def test_labels_are_for_folders_and_may_be_given_or_left_out(tmp_path):
    folder_of(tmp_path / "pets", {**FILES, "labels.csv": b"file,label\ncat/1.png,x\ndog/2.png,y\n"})
    (tmp_path / "other.csv").write_text("file,label\ncat/1.png,z\ndog/2.png,z\n")
    assert opened(tmp_path, tmp_path / "pets").class_names == ("x", "y")
    assert opened(tmp_path, tmp_path / "pets", labels="none").class_names == ("cat", "dog")
    assert opened(tmp_path, tmp_path / "pets", labels=str(tmp_path / "other.csv")).class_names == ("z",)
    with pytest.raises(DatasetError, match=r"there is no file of labels at .*: correct --labels"):
        opened(tmp_path, tmp_path / "pets", labels=str(tmp_path / "nothing.csv"))
    with pytest.raises(
        DatasetError, match=r"--classes-from, --exclude is for folders of images, but .* holds idx files"
    ):
        opened(tmp_path, idx_of(tmp_path / "mnist"), asked=Asked(classes_from="1", exclude=("x",)))
    with pytest.raises(DatasetError, match=r"--labels is for folders of images, but .* holds idx files"):
        opened(tmp_path, idx_of(tmp_path / "mnist"), labels=str(tmp_path / "other.csv"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is nothing at .*: give `digits`, the path of"),
        (lambda path: path.write_text("x"), "is a file, but no zip, tar or Parquet file"),
        (lambda path: path.write_bytes(b""), "is a file, but no zip, tar or Parquet file"),
        (lambda path: path.write_bytes(bytes(2000)), "is a file, but no zip, tar or Parquet file"),
        (lambda path: path.write_bytes(gzip.compress(b"x")), "is a file, but no zip, tar or Parquet file"),
        (lambda path: path.write_bytes(gzip.compress(b"x" * 99)[:20]), "is broken or cut short"),
        (lambda path: os.mkfifo(path), "neither a file nor a folder"),
        (lambda path: path.symlink_to(path.name), "cannot be read|there is nothing at"),
        (lambda path: path.mkdir(), "no image was found"),
        (lambda path: zip_of(path, {}), "no image was found"),
    ],
)
def test_a_wrong_path_is_explained(tmp_path, make, words):
    make(tmp_path / "there")
    with pytest.raises(DatasetError, match=words) as caught:
        opened(tmp_path, tmp_path / "there")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("spec", ["a\0b", "x" * 5000, "~nosuchuser/a", ""])
def test_impossible_paths_are_explained(tmp_path, monkeypatch, spec):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(DatasetError):
        opened(tmp_path, spec)
    with pytest.raises(DatasetError):
        SourceSpec("digits", labels=spec).require()


def test_an_unknown_kind_is_explained(tmp_path):
    with pytest.raises(DatasetError, match="there is no source kind «jpeg»: choose one of auto, digits, folder, idx"):
        opened(tmp_path, tmp_path, kind="jpeg")


def test_a_url_is_fetched_and_opened(tmp_path):
    files = fsspec.filesystem("memory")
    files.pipe({"/bucket/pets.zip": zip_of(tmp_path / "a.zip").read_bytes()})
    seen = []
    spec = SourceSpec("memory://bucket/pets.zip")
    source = open_source(spec, tmp_path / "scratch", lambda *at: seen.append(at))
    files.rm("/bucket", recursive=True)
    assert (source.name, len(list(read_all(source)))) == ("pets", 2)
    assert seen


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("odd")])
def test_the_query_of_a_url_is_never_shown(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(detect, "fetch", fail)
    with pytest.raises(DatasetError) as caught:
        opened(tmp_path, "https://host/set.zip?id=s3cret")
    assert "https://host/set.zip" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"PAR1", b"0" * 250]),
    data=st.binary(max_size=900),
)
def test_random_files_are_trees_or_explained(tmp_path, head, data):
    (tmp_path / "there").write_bytes(head + data)
    try:
        tree = open_tree(tmp_path / "there", "there", tmp_path / "scratch")
    except DatasetError as error:
        tree = None
        refusal = str(error)
    assert tree is not None or len(refusal.splitlines()) == 1


def test_files_beside_those_that_hold_the_images_are_accounted_for(tmp_path):
    table = {"image": [{"bytes": png(1), "path": "1.png"}, {"bytes": png(2), "path": "2.png"}], "label": [0, 1]}
    beside = {"a/1.png": png(3), "README.md": b"x", ".DS_Store": b"x", "weights.bin": b"1234", "train.csv": b"a,b"}
    folder_of(tmp_path / "set", beside)
    (tmp_path / "set" / "link.bin").symlink_to(tmp_path)
    pq.write_table(pa.table(table), tmp_path / "set" / "train-0.parquet")
    source = opened(tmp_path, tmp_path / "set")
    assert source.notes == ()
    assert source.census == Census(
        files=7,
        companions={
            "documents": 1, "left behind by systems": 1, "tables and annotations": 1, "images that are left out": 1,
        },
        holders=1,
        strays=2,
    )  # fmt: skip
    records = list(read_all(source))
    assert len(records) == len(source) == 4
    assert [str(each) for each in records if isinstance(each, Reject)] == [
        "weights.bin: no known sort of image (.bin)", "link.bin: symbolic link (a linked folder)",
    ]  # fmt: skip
    images, rejects = source.tally()
    assert (images.total(), rejects.total()) == (2, 2)


def test_the_files_of_a_kind_alone_are_all_there_is(tmp_path):
    source = opened(tmp_path, idx_of(tmp_path / "mnist"))
    assert (source.notes, source.census) == ((), Census(2, {}, holders=2))
    tar_of(tmp_path / "pets.tar", {"1.png": png(1), "1.cls": b"0", "2.png": png(2), "2.cls": b"1", "x.npy": b"x"})
    source = opened(tmp_path, tmp_path / "pets.tar")
    assert (source.notes, getattr(source, "census", None)) == ((), None)


def test_the_counts_of_files_that_hold_images_add_up_in_a_dataset(tmp_path):
    rows = [{"bytes": png(seed), "path": ""} for seed in range(30)]
    folder_of(tmp_path / "set", {"x.bin": b"1234", "LICENSE": b"x"})
    for name in ("a", "b"):
        pq.write_table(
            pa.table({"image": rows[:15] if name == "a" else rows[15:]}), tmp_path / "set" / f"{name}.parquet"
        )
    config = DataConfig(resolution=4, min_side=1, holdout_fraction=0.3)
    places = {"work": tmp_path / "work", "quarantine": tmp_path / "rejects"}
    built = build_dataset(opened(tmp_path, tmp_path / "set"), config, tmp_path / "data", **places)
    assert built.files == FileCounts(4, 2, {"documents": 1}, 1, holders=True)
    assert built.info.rejects == {"no known sort of image": 1}
