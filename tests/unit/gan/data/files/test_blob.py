"""One file's bytes, or a reason."""

import contextlib
import os
import socket
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.files.blob import Blob, UnreadableError, bare_blob, read_blob, stream_blob

DATA = bytes(range(256)) * 5


def reason(blob, **options):
    with pytest.raises(UnreadableError) as caught:
        read_blob(blob, **options)
    return caught.value.reason


def whole(path):
    return Blob(str(path), 0)


def member(path, method, data=DATA):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("first.txt", b"first")
        archive.writestr("second.png", data)
        info = archive.infolist()[1]
    packed = info.compress_size if method == zipfile.ZIP_DEFLATED else -1
    return Blob(str(path), info.file_size, offset=info.header_offset, packed=packed, crc=info.CRC)


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def in_zip(request, tmp_path):
    return member(tmp_path / "a.zip", request.param)


def test_a_file_is_read_whole_whatever_size_it_had_when_it_was_listed(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    assert read_blob(Blob(str(tmp_path / "a"), 3)) == DATA


def test_a_stretch_of_a_file_is_read_exactly(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    assert read_blob(Blob(str(tmp_path / "a"), 4, offset=7)) == DATA[7:11]
    assert read_blob(Blob(str(tmp_path / "a"), 5, offset=0)) == DATA[:5]
    assert read_blob(Blob(str(tmp_path / "a"), len(DATA) - 7, offset=7)) == DATA[7:]


@pytest.mark.parametrize("offset", [1000, len(DATA), 2**40, 2**62, 2**63, 2**64])
def test_a_stretch_beyond_the_end_is_cut_short(tmp_path, offset):
    (tmp_path / "a").write_bytes(DATA)
    assert reason(Blob(str(tmp_path / "a"), len(DATA), offset=offset)) in {"cut short", "cannot be read"}


def test_what_is_no_regular_file_is_not_opened_or_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for path in ("pipe", "folder", "socket", "/dev/zero"):
            assert reason(whole(path)) == "not a regular file", path


def test_links_are_not_followed(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("link", "dangling", "loop"):
        assert reason(whole(tmp_path / name)) == "symbolic link"


def test_what_cannot_be_opened_says_why(tmp_path, monkeypatch):
    with pytest.raises(UnreadableError) as caught:
        read_blob(whole(tmp_path / "nothing"))
    assert (caught.value.reason, caught.value.detail) == ("cannot be read", "No such file or directory")
    (tmp_path / "a").write_bytes(DATA)

    def refuse(*_):
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "open", refuse)  # root may read anything
    with pytest.raises(UnreadableError) as caught:
        read_blob(whole(tmp_path / "a"))
    assert (caught.value.reason, caught.value.detail) == ("cannot be read", "Permission denied")


def test_a_disk_that_fails_while_it_is_read_is_a_reason_and_the_file_is_closed(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(DATA)

    def fail(*_):
        raise OSError(5, "no")

    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", fail)
        assert reason(whole(tmp_path / "a")) == "cannot be read"
    assert not before or len(os.listdir("/proc/self/fd")) == before


def test_reads_that_stop_early_go_on(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(DATA)
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, at: pread(file, min(size, 100), at))
    assert read_blob(whole(tmp_path / "a")) == DATA
    assert read_blob(Blob(str(tmp_path / "a"), 500, offset=33)) == DATA[33:533]


def test_empty_and_too_large_files_are_refused_at_the_limit(tmp_path):
    (tmp_path / "empty").touch()
    assert reason(whole(tmp_path / "empty")) == "empty file"
    (tmp_path / "a").write_bytes(DATA)
    assert read_blob(whole(tmp_path / "a"), most=len(DATA)) == DATA
    assert reason(whole(tmp_path / "a"), most=len(DATA) - 1) == "too large"
    assert reason(Blob(str(tmp_path / "a"), 2**62, offset=3)) == "too large"
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**30)
    assert reason(whole(tmp_path / "sparse")) == "too large"


def test_zip_members_are_read_where_they_lie(in_zip):
    assert read_blob(in_zip) == DATA
    assert reason(in_zip, most=len(DATA) - 1) == "too large"
    assert reason(in_zip._replace(size=0)) == "empty file"


def test_what_the_directory_of_a_zip_says_is_held_against_what_is_there(in_zip):
    wrong = "broken archive member"
    assert reason(in_zip._replace(crc=in_zip.crc ^ 1)) == wrong
    assert reason(in_zip._replace(size=in_zip.size - 1)) == wrong
    assert reason(in_zip._replace(size=in_zip.size + 1)) == wrong
    assert reason(in_zip._replace(offset=in_zip.offset + 1)) == wrong
    assert reason(in_zip._replace(offset=0)) == wrong  # another member's header
    assert reason(in_zip._replace(offset=Path(in_zip.file).stat().st_size - 10)) == "cut short"
    assert reason(in_zip._replace(offset=2**63 + 5)) in {"cut short", wrong, "cannot be read"}


def test_a_deflated_member_with_the_wrong_packed_size_is_broken(tmp_path):
    blob = member(tmp_path / "a.zip", zipfile.ZIP_DEFLATED)
    assert reason(blob._replace(packed=blob.packed // 2)) == "broken archive member"
    assert reason(blob._replace(packed=0)) == "broken archive member"
    for packed in (2**20, 2**50, 2**63 + 5):  # nor is there memory for what is only said
        assert reason(blob._replace(packed=packed)) in {"cut short", "broken archive member"}


def test_a_member_that_swells_beyond_its_size_is_not_unpacked_further(tmp_path):
    blob = member(tmp_path / "a.zip", zipfile.ZIP_DEFLATED, bytes(2**24))
    assert blob.packed < 2**16
    assert reason(blob._replace(size=100)) == "broken archive member"


def test_damaged_bytes_of_a_member_are_seen(in_zip):
    path = Path(in_zip.file)
    good = path.read_bytes()
    begin = in_zip.offset + 30 + len("second.png")
    for place in range(begin, begin + 40, 3):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x20]) + good[place + 1 :])
        assert reason(in_zip) == "broken archive member"


@settings(max_examples=100, deadline=None)
@given(
    size=st.integers(-2, 2**70),
    offset=st.integers(-1, 2**70),
    packed=st.integers(-1, 2**70),
    crc=st.integers(-1, 2**32 - 1),
)
def test_impossible_numbers_are_bytes_or_a_reason(tmp_path_factory, size, offset, packed, crc):
    path = tmp_path_factory.getbasetemp() / "numbers.zip"
    if not path.exists():
        member(path, zipfile.ZIP_DEFLATED)
    with contextlib.suppress(UnreadableError):
        assert isinstance(read_blob(Blob(str(path), size, offset, packed, crc)), bytes)


METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": 14}


def packed_by(path, method, data=DATA):
    blob = member(path, method, data)
    with zipfile.ZipFile(path) as archive:
        size = archive.infolist()[1].compress_size
    return blob._replace(packed=-1 if method == zipfile.ZIP_STORED else size, method=method)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("count", [1, 5000, 3_000_000])
def test_members_of_every_method_are_read_whole_and_in_blocks(tmp_path, method, count):
    data = (DATA * 3000)[: count - 1] + b"."
    blob = packed_by(tmp_path / "a.zip", method, data)
    assert read_blob(blob) == data
    blocks = list(stream_blob(blob))
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= 2**20
    assert b"".join(stream_blob(blob, 100)) == data


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_member_of_any_method_that_is_not_what_the_directory_says_is_broken(tmp_path, method):
    blob = packed_by(tmp_path / "a.zip", method)
    for wrong in (
        blob._replace(crc=blob.crc ^ 1),
        blob._replace(size=blob.size - 1),
        blob._replace(size=blob.size + 1),
    ):
        for read in (read_blob, lambda each: b"".join(stream_blob(each))):
            with pytest.raises(UnreadableError, match="broken archive member"):
                read(wrong)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_any_method_that_swells_is_not_unpacked_further(tmp_path, method, monkeypatch):
    blob = packed_by(tmp_path / "a.zip", method, bytes(2**27))
    assert blob.packed < 2**16
    assert reason(blob._replace(size=100)) == "broken archive member"
    blocks = stream_blob(blob._replace(size=2**21))
    seen = [len(next(blocks)) for _ in range(2)]
    assert sum(seen) <= 2**21


def test_a_file_of_any_size_is_read_in_blocks(tmp_path):
    (tmp_path / "a").write_bytes(DATA)
    assert list(stream_blob(whole(tmp_path / "a"), 1000)) == [DATA[:1000], DATA[1000:]]
    assert list(stream_blob(Blob(str(tmp_path / "a"), 5, offset=3), 2)) == [DATA[3:5], DATA[5:7], DATA[7:8]]
    with pytest.raises(UnreadableError, match="cut short"):
        list(stream_blob(Blob(str(tmp_path / "a"), len(DATA), offset=3)))


def test_a_stored_member_is_a_stretch_of_its_archive_once_its_checksum_holds(tmp_path):
    blob = packed_by(tmp_path / "a.zip", zipfile.ZIP_STORED)
    bare = bare_blob(blob)
    assert (bare.crc, bare.packed, bare.size) == (-1, -1, len(DATA))
    assert read_blob(bare) == DATA
    assert bare_blob(whole(tmp_path / "a.zip")) == whole(tmp_path / "a.zip")
    with pytest.raises(UnreadableError, match="broken archive member"):
        bare_blob(blob._replace(crc=blob.crc ^ 1))
