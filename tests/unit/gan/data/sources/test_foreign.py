"""Files of sorts that are not read: each is told by its bytes, and the refusal says what to do."""

import gzip
import io
import os
import pickle
import sqlite3
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan.data.sources.detect import open_source
from gan.data.sources.foreign import foreign_sort
from gan.data.sources.spec import SourceSpec
from gan.errors import DatasetError


def hdf5():
    return b"\x89HDF\r\n\x1a\n" + bytes(600)


def matlab():
    text = b"MATLAB 5.0 MAT-file, Platform: GLNXA64"
    return text.ljust(124) + b"\x00\x01IM" + bytes(100)


def nifti():
    return struct.pack("<i", 348) + bytes(340) + b"n+1\0" + bytes(100)


def tfrecord():
    # The masked CRC-32C of the length 3, as TensorFlow writes it.
    return struct.pack("<QI", 3, 0x0E4999B0) + b"abc" + bytes(4)


def cifar():
    return pickle.dumps({b"batch_label": b"training batch 1 of 5", b"data": bytes(200)}, protocol=2)


def sqlite(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as made:
        made.execute("create table a (b)")
    return (tmp_path / "a.db").read_bytes()


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


SORTS = {
    "an HDF5 file": hdf5(),
    "a MATLAB file": matlab(),
    "a NIfTI volume": nifti(),
    "a TFRecord file": tfrecord(),
    "CIFAR's Python version": cifar(),
    "CIFAR's Python version, a pickle": pickle.dumps(
        {"num_cases_per_batch": 10000, "label_names": ["cat"]}, protocol=0
    ),
    "a Python pickle": pickle.dumps([1, 2]),
    "a Python pickle, which": pickle.dumps({"a": 1}, protocol=0),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c" + bytes(50),
    "a RAR archive": b"Rar!\x1a\x07\x01\0" + bytes(50),
    "packed by Zstandard": b"\x28\xb5\x2f\xfd" + bytes(50),
    "a video": b"\0\0\0\x20ftypisom" + bytes(50),
}


@pytest.mark.parametrize("what", SORTS)
@pytest.mark.parametrize("place", ["file", "folder", "zip"])
def test_each_sort_is_named_with_what_to_do(tmp_path, what, place):
    given = tmp_path / "given"
    if place == "folder":
        given.mkdir()
        (given / "data").write_bytes(SORTS[what])
        (given / "README.md").write_text("about")
    else:
        given.write_bytes(
            SORTS[what] if place == "file" else zipped(**{"data": SORTS[what], "labels.txt": b"cat\ndog\n"})
        )
    with pytest.raises(DatasetError, match=f"is {what}.* not read: [a-z]+ ") as caught:
        open_source(SourceSpec(str(given)), tmp_path / "scratch")
    assert str(given) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_packed_file_is_told_by_what_is_packed(tmp_path):
    (tmp_path / "volume.nii.gz").write_bytes(gzip.compress(nifti()))
    with pytest.raises(DatasetError, match="is a NIfTI volume"):
        open_source(SourceSpec(str(tmp_path / "volume.nii.gz")), tmp_path / "scratch")


def test_databases_and_archives_in_archives_are_told(tmp_path):
    assert foreign_sort(sqlite(tmp_path)).what == "an SQLite database"
    inner = zipped(**{"cat/1.png": b"x"})
    (tmp_path / "a.zip").write_bytes(zipped(**{"train.zip": inner, "test.zip": inner}))
    with pytest.raises(DatasetError, match=r"test\.zip is an archive in itself, which is not read: unpack it"):
        open_source(SourceSpec(str(tmp_path / "a.zip")), tmp_path / "scratch")


def test_a_zip_that_was_cut_short_is_named_as_one(tmp_path):
    whole = zipped(**{"cat/1.png": os.urandom(5000)})
    (tmp_path / "a.zip").write_bytes(whole[:3000])
    with pytest.raises(DatasetError, match=r"the beginning of a zip without its end.*: fetch it again"):
        open_source(SourceSpec(str(tmp_path / "a.zip")), tmp_path / "scratch")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"cat\ndog\n",
        b"(c) somebody\n",
        "Ein Text über Bilder".encode(),
        bytes(512),
        b"label,pixel0\n1,2\n",
        struct.pack("<QI", 3, 0x0E4999B1),
    ],
)
def test_texts_and_zeros_are_of_no_sort(data):
    assert foreign_sort(data) is None


def test_pictures_are_of_no_sort():
    for format in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"):
        out = io.BytesIO()
        Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(out, format)
        assert foreign_sort(out.getvalue()[:512]) is None, format


def locked(data):
    data = bytearray(data)
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        data[at + 8] |= 1
    return bytes(data)


def test_an_archive_none_of_whose_members_can_be_read_says_why(tmp_path):
    (tmp_path / "a.zip").write_bytes(locked(zipped(**{"cat/1.png": b"x", "cat/2.png": b"y"})))
    with pytest.raises(DatasetError, match=r"has no file that can be read \(2 encrypted\): unpack .* its password"):
        open_source(SourceSpec(str(tmp_path / "a.zip")), tmp_path / "scratch")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../1.png"))
    with pytest.raises(DatasetError, match=r"\(1 path outside the archive\): make the archive again from inside"):
        open_source(SourceSpec(str(tmp_path / "a.tar")), tmp_path / "scratch")


def test_a_folder_of_links_says_so(tmp_path):
    (tmp_path / "real" / "cat").mkdir(parents=True)
    (tmp_path / "set").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "real" / "cat")
    with pytest.raises(
        DatasetError, match=r"no file that can be read \(2 symbolic link\): put the files themselves there"
    ):
        open_source(SourceSpec(str(tmp_path / "set")), tmp_path / "scratch")
