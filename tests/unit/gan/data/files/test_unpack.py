"""Compressed files, within limits and in a scratch folder."""

import bz2
import contextlib
import gzip
import lzma
import os
import random
import shutil
import tarfile
import zipfile
from collections import namedtuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan.data.files import archive, unpack
from gan.data.files.archive import tar_tree, zip_tree
from gan.data.files.atomic import replacing
from gan.data.files.blob import Blob
from gan.data.files.unpack import head_of, is_compressed, own_file
from gan.errors import DatasetError, ResourcesError

DATA = random.Random(0).randbytes(5000) + bytes(3_000_000)
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.fixture(params=PACKERS)
def packed(request, tmp_path):
    path = tmp_path / f"a.{request.param}"
    path.write_bytes(PACKERS[request.param](DATA))
    return path


def test_a_packed_file_is_unpacked_under_a_name_of_ours(packed, tmp_path):
    assert is_compressed(packed.read_bytes()[:8])
    result = unpack.unpack(packed, "there", tmp_path / "scratch")
    assert result.read_bytes() == DATA
    assert list((tmp_path / "scratch").iterdir()) == [result]


def test_what_is_packed_in_several_pieces_is_unpacked_whole(tmp_path):
    for suffix, pack in PACKERS.items():
        (tmp_path / suffix).write_bytes(pack(b"one ") + pack(b"two"))
        assert unpack.unpack(tmp_path / suffix, "there", tmp_path / "scratch").read_bytes() == b"one two"


def test_other_files_are_not_taken_for_packed_ones():
    for head in (b"", b"\x1f", b"PK\x03\x04", b"\x89PNG", b"PAR1", bytes(512)):
        assert not is_compressed(head)


def test_a_result_is_found_again_until_the_file_changes(packed, tmp_path):
    first = unpack.unpack(packed, "there", tmp_path / "scratch")
    first.write_bytes(b"marked")
    assert unpack.unpack(packed, "there", tmp_path / "scratch") == first
    assert first.read_bytes() == b"marked"
    age = packed.stat().st_mtime_ns
    os.utime(packed, ns=(age, age + 10**9))
    assert unpack.unpack(packed, "there", tmp_path / "scratch") != first


def test_what_was_left_half_done_is_done_again(packed, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    with monkeypatch.context() as patched:
        patched.setattr(unpack, "refuse_bomb", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            unpack.unpack(packed, "there", scratch)
    assert not list(scratch.iterdir())
    (scratch / ".result.0123.partial").write_bytes(b"half of something")  # as a kill leaves it
    result = unpack.unpack(packed, "there", scratch)
    assert result.read_bytes() == DATA
    assert list(scratch.iterdir()) == [result]


@pytest.mark.parametrize("share", [0.3, 0.99, 1])
def test_what_is_cut_short_is_explained(packed, tmp_path, share):
    whole = packed.read_bytes()
    packed.write_bytes(whole[: min(int(len(whole) * share), len(whole) - 1)])
    with pytest.raises(DatasetError, match=r"^there is broken .*: fetch it again$"):
        unpack.unpack(packed, "there", tmp_path / "scratch")
    assert not list((tmp_path / "scratch").iterdir())


def test_what_swells_beyond_all_reason_is_refused_before_it_is_all_written(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "HARMLESS_BYTES", 2**20)
    monkeypatch.setattr(archive, "MAX_RATIO", 2**20 / packed.stat().st_size)
    sizes = []

    @contextlib.contextmanager
    def measured(path):
        with replacing(path) as draft:
            try:
                yield draft
            finally:
                sizes.append(draft.stat().st_size)

    monkeypatch.setattr(unpack, "replacing", measured)
    with pytest.raises(DatasetError, match=r"there would unpack to more than .* decompression bomb"):
        unpack.unpack(packed, "there", tmp_path / "scratch")
    assert sizes[0] <= 2**20
    assert not list((tmp_path / "scratch").iterdir())
    monkeypatch.setattr(archive, "MAX_RATIO", len(DATA) / packed.stat().st_size)
    assert unpack.unpack(packed, "there", tmp_path / "scratch").read_bytes() == DATA


def test_a_full_disk_is_explained(packed, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(unpack, "HARMLESS_BYTES", 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 2**27))
    with pytest.raises(ResourcesError, match="has 128 MiB left, too little to unpack there: free some space"):
        unpack.unpack(packed, "there", tmp_path / "scratch")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(sorted(PACKERS)), data=st.data())
def test_damaged_bytes_are_unpacked_or_explained(tmp_path, suffix, data):
    whole = bytearray(PACKERS[suffix](DATA[:600]))
    for place, value in data.draw(st.lists(st.tuples(st.integers(8, len(whole) - 1), st.integers(0, 255)), max_size=4)):
        whole[place] = value
    (tmp_path / "a").write_bytes(whole[: data.draw(st.integers(8, len(whole)))])
    shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
    refusal = ""
    try:
        assert unpack.unpack(tmp_path / "a", "there", tmp_path / "scratch").is_file()
    except DatasetError as error:
        refusal = str(error)
    assert refusal.startswith("there is broken" if refusal else "")


@pytest.fixture(params=["tar", "stored", "deflated"])
def member(request, tmp_path):
    (tmp_path / "inner").write_bytes(DATA)
    if request.param == "tar":
        with tarfile.open(tmp_path / "a", "w") as made:
            made.add(tmp_path / "inner", "inner")
        return tar_tree(tmp_path / "a", "a").entries[0].blob
    method = zipfile.ZIP_STORED if request.param == "stored" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(tmp_path / "a", "w", method) as made:
        made.write(tmp_path / "inner", "inner")
    return zip_tree(tmp_path / "a", "a").entries[0].blob


def test_a_member_becomes_a_file_of_its_own_once(member, tmp_path):
    path = own_file(member, "there", tmp_path / "scratch")
    assert path.read_bytes() == DATA
    path.write_bytes(b"marked")
    assert own_file(member, "there", tmp_path / "scratch").read_bytes() == b"marked"
    assert [each.name for each in (tmp_path / "scratch").iterdir()] == [path.name]
    assert own_file(member._replace(modified=1), "there", tmp_path / "scratch") != path


def test_a_file_is_its_own(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    assert own_file(Blob(str(tmp_path / "a"), 3), "there", tmp_path / "scratch") == tmp_path / "a"
    assert not (tmp_path / "scratch").exists()


def test_a_broken_member_is_explained(tmp_path):
    with zipfile.ZipFile(tmp_path / "a", "w") as made:
        made.writestr("inner", DATA)
    (entry,) = zip_tree(tmp_path / "a", "a").entries
    with pytest.raises(DatasetError, match=r"there is no usable file \(broken archive member\): fetch the archive"):
        own_file(entry.blob._replace(crc=1), "there", tmp_path / "scratch")


def test_the_head_of_a_file_is_as_long_as_it_can_be(member, tmp_path):
    (tmp_path / "a.bin").write_bytes(DATA)
    for blob in (member, Blob(str(tmp_path / "a.bin"), len(DATA))):
        assert head_of(blob) == DATA[:512]
        assert head_of(blob, 4) == DATA[:4]
    (tmp_path / "short").write_bytes(b"abc")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    assert head_of(Blob(str(tmp_path / "short"), 3)) == b"abc"
    for name, size in (("empty", 0), ("folder", 4096), ("nothing", 9)):
        assert head_of(Blob(str(tmp_path / name), size)) == b""
