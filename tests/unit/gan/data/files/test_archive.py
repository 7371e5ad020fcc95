"""Zip and tar as trees, whatever lies in them."""

import io
import os
import struct
import tarfile
import zipfile
import zlib

import inflate64
import pytest

from gan.data.files.archive import NAME_TWICE, tar_tree, zip_tree
from gan.data.files.blob import read_blob
from gan.data.records import Reject

FILES = {"cat/1.png": b"one", "cat/2.png": b"two" * 300, "dog/3.png": b"three", "notes.txt": b"text"}
OUTSIDE = "path outside the archive"
HOSTILE = ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png", "C:\\evil.png", "..\\evil.png", "\\e.png"]


def test_members_are_listed_by_path_and_read_where_they_lie(tmp_path, kind):
    make, tree_of = kind
    path = make(tmp_path / "set.v2.tar", dict(reversed(FILES.items())))
    tree = tree_of(path, "s3://bucket/set.v2.tar")
    assert (tree.name, tree.where, tree.is_archive) == ("set", "s3://bucket/set.v2.tar", True)
    assert {entry.path: read_blob(entry.blob) for entry in tree.entries} == FILES
    assert [entry.path for entry in tree.entries] == sorted(FILES)
    assert tree.rejects == ()
    assert {entry.blob.modified for entry in tree.entries} == {os.stat(path).st_mtime_ns}


def test_stored_members_of_a_zip_are_read_too(tmp_path, zipped):
    tree = zip_tree(zipped(tmp_path / "a.zip", FILES, zipfile.ZIP_STORED), "a.zip")
    assert {entry.path: read_blob(entry.blob) for entry in tree.entries} == FILES


def test_hidden_files_and_folders_are_left_out_and_a_leading_dot_slash_means_nothing(tmp_path, kind):
    make, tree_of = kind
    names = ["./a/1.png", "b/2.png", "._b.png", "b/._2.png", "__MACOSX/b/2.png", "b/.hidden/3.png"]
    tree = tree_of(make(tmp_path / "a", dict.fromkeys(names, b"x")), "a")
    assert [entry.path for entry in tree.entries] == ["a/1.png", "b/2.png"]
    assert tree.rejects == ()


def test_a_name_that_comes_twice_is_the_later_file(tmp_path, tar_info):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for data in (b"old", b"newer"):
            archive.addfile(tar_info("1.png", len(data)), io.BytesIO(data))
    tree = tar_tree(tmp_path / "a.tar", "a.tar")
    (entry,) = tree.entries
    assert read_blob(entry.blob) == b"newer"
    assert tree.rejects == (Reject("1.png", NAME_TWICE),)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_outside_are_rejected(tmp_path, kind, name):
    make, tree_of = kind
    tree = tree_of(make(tmp_path / "a", {name: b"x", "good.png": b"y"}), "a")
    assert [entry.path for entry in tree.entries] == ["good.png"]
    assert [reject.reason for reject in tree.rejects] == [OUTSIDE]


def test_names_become_text_that_can_be_written(tmp_path, tar_info):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for name in ("\udcff.png", "\udcfe.png", "ö\n.png"):
            archive.addfile(tar_info(name, 1), io.BytesIO(name[0].encode(errors="surrogateescape")[-1:]))
    entries = tar_tree(tmp_path / "a.tar", "a.tar").entries
    for entry in entries:
        assert entry.path.encode("utf-8")
    assert len({read_blob(entry.blob) for entry in entries}) == 3  # none stands for another


def test_a_name_that_is_too_long_is_rejected_and_cut(tmp_path, kind):
    make, tree_of = kind
    tree = tree_of(make(tmp_path / "a", {"d/" * 3000 + "a.png": b"x", "good.png": b"y"}), "a")
    assert [(len(reject.path), reject.reason) for reject in tree.rejects] == [(4096, "impossible name")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "symbolic link"),
        ({"type": tarfile.LNKTYPE, "linkname": "good.png"}, "hard link"),
        ({"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}, "not a regular file"),
        ({"type": tarfile.BLKTYPE}, "not a regular file"),
        ({"type": tarfile.FIFOTYPE}, "not a regular file"),
        ({"type": tarfile.GNUTYPE_SPARSE}, "not a regular file"),
    ],
)
def test_what_is_no_plain_file_in_a_tar_is_rejected(tmp_path, tar_info, changes, reason):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tar_info("odd.png", **changes))
        archive.addfile(tar_info("folder", type=tarfile.DIRTYPE))
        archive.addfile(tar_info("good.png", 1), io.BytesIO(b"x"))
    tree = tar_tree(tmp_path / "a.tar", "a.tar")
    assert [(reject.path, reject.reason) for reject in tree.rejects] == [("odd.png", reason)]
    assert [entry.path for entry in tree.entries] == ["good.png"]


def test_what_is_no_plain_file_in_a_zip_is_rejected(tmp_path):
    odd = {"link": (0o120777, {}), "pipe": (0o010644, {}), "shrunk": (0, {})}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/", b"")
        for name, (mode, changes) in odd.items():
            info = zipfile.ZipInfo(f"{name}.png")
            info.external_attr = mode << 16
            for field, value in changes.items():
                setattr(info, field, value)
            archive.writestr(info, b"target")
        archive.writestr("locked.png", b"secret")
        archive.writestr("good.png", b"x")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    central = data.rindex(b"PK\x01\x02", 0, data.rindex(b"locked.png"))
    data[central + 8] |= 1  # encrypted
    central = data.rindex(b"PK\x01\x02", 0, data.rindex(b"shrunk.png"))
    data[central + 10] = 1  # a method of the eighties
    (tmp_path / "a.zip").write_bytes(data)
    tree = zip_tree(tmp_path / "a.zip", "a.zip")
    assert [entry.path for entry in tree.entries] == ["good.png"]
    assert {reject.path: reject.reason for reject in tree.rejects} == {
        "link.png": "symbolic link",
        "pipe.png": "not a regular file",
        "shrunk.png": "packed by an unknown method",
        "locked.png": "encrypted",
    }
    details = {reject.path: reject.detail for reject in tree.rejects}
    assert details["locked.png"] == "unpack the archive with its password and give the folder"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_a_zip_packed_by_other_methods_are_read_too(tmp_path, zipped, method):
    tree = zip_tree(zipped(tmp_path / "a.zip", FILES, method), "a.zip")
    assert {entry.path: read_blob(entry.blob) for entry in tree.entries} == FILES


def deflate64_zip(path, name, data):
    packer = inflate64.Deflater()
    packed = packer.deflate(data) + packer.flush()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, packed)
    whole = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        begin = whole.rindex(signature)
        struct.pack_into("<H", whole, begin + at, 9)
        struct.pack_into("<I", whole, begin + at + 6, zlib.crc32(data))
        struct.pack_into("<I", whole, begin + at + 14, len(data))
    path.write_bytes(whole)
    return path


def test_deflate64_as_windows_writes_large_zips_is_read_where_its_package_is(tmp_path, monkeypatch):
    path = deflate64_zip(tmp_path / "a.zip", "cat.png", b"meow" * 50_000)
    (entry,) = zip_tree(path, "a.zip").entries
    assert read_blob(entry.blob) == b"meow" * 50_000
    monkeypatch.setattr("gan.data.files.archive.reads", lambda method: method == zipfile.ZIP_STORED)
    (reject,) = zip_tree(path, "a.zip").rejects
    assert str(reject) == (
        "cat.png: packed by Deflate64 (as Windows packs what is large: pip install 'ganflow[deflate64]')"
    )
