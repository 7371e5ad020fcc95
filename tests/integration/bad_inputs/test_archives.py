"""Zips and tars that lead out, swell, lie, or are cut short."""

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib

import pytest

pytestmark = pytest.mark.integration

OUTSIDE = "path outside the archive"
LEADING_OUT = ["../../x.png", "cat/../../x.png", "/{top}/absolute.png", "C:\\x.png", "..\\..\\x.png", "\\x.png"]


def zipped(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def member(name, data=b"", **fields):
    """A tar member of any type."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tarred(path, members, mode="w", format=tarfile.PAX_FORMAT):
    with tarfile.open(path, mode, format=format) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def good_members(zoo):
    return [member(name, data) for name, data in zoo.good_files().items()]


def ingested(zoo, path, **changes):
    outcome = zoo.ingest(path, **changes)
    assert outcome.has(zoo.good)
    assert {"cat", "dog"} <= set(outcome.info.class_names)
    return outcome


def test_names_that_lead_out_of_a_zip(zoo):
    names = [name.format(top=str(zoo.top).strip("/")) for name in LEADING_OUT]
    hostile = {name: zoo.encode(zoo.pixels(index)) for index, name in enumerate(names)}
    outcome = ingested(zoo, zipped(zoo.given / "set.zip", zoo.good_files() | hostile))
    assert outcome.info.rejects == {OUTSIDE: len(hostile)}


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_names_that_lead_out_of_a_tar(zoo, suffix):
    names = [name.format(top=str(zoo.top).strip("/")) for name in LEADING_OUT]
    hostile = [member(name, zoo.encode(zoo.pixels(index))) for index, name in enumerate(names)]
    mode = "w:gz" if suffix.endswith("gz") else "w"
    outcome = ingested(zoo, tarred(zoo.given / f"set.{suffix}", good_members(zoo) + hostile, mode))
    assert outcome.info.rejects == {OUTSIDE: len(hostile)}


def test_a_zip_made_by_windows_has_folders_too(zoo):
    files = {name.replace("/", "\\"): data for name, data in zoo.good_files().items()}
    assert ingested(zoo, zipped(zoo.given / "set.zip", files)).rejects == {}


def test_names_beginning_with_a_dot_and_a_slash_are_ordinary(zoo):
    files = {f"./{name}": data for name, data in zoo.good_files().items()}
    assert ingested(zoo, zipped(zoo.given / "a.zip", files)).rejects == {}
    assert ingested(zoo, tarred(zoo.given / "a.tar", [member(*item) for item in files.items()])).rejects == {}


def test_links_and_devices_in_a_tar(zoo):
    data = zoo.encode(zoo.pixels(0))
    odd = [
        member("cat/to-file.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("cat/to-folder", type=tarfile.SYMTYPE, linkname="../../.."),
        member("cat/to-folder/through.png", data),
        member("cat/hard.png", type=tarfile.LNKTYPE, linkname="cat/00.png"),
        member("cat/out.png", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
        member("cat/pipe.png", type=tarfile.FIFOTYPE),
        member("cat/zero.png", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        member("cat/disk.png", type=tarfile.BLKTYPE, devmajor=8, devminor=0),
    ]
    outcome = ingested(zoo, tarred(zoo.given / "set.tar", good_members(zoo) + odd))
    assert outcome.rejects == {
        "cat/to-file.png": "symbolic link",
        "cat/to-folder": "symbolic link",
        "cat/hard.png": "hard link",
        "cat/out.png": "hard link",
        "cat/pipe.png": "not a regular file",
        "cat/zero.png": "not a regular file",
        "cat/disk.png": "not a regular file",
    }
    assert outcome.has([zoo.pixels(0)])  # it is read as a file called so, for no link is ever followed


def test_links_and_devices_in_a_zip(zoo):
    path = zipped(zoo.given / "set.zip", zoo.good_files())
    with zipfile.ZipFile(path, "a") as archive:
        for name, mode in (("link", 0o120777), ("pipe", 0o010644), ("device", 0o020644)):
            info = zipfile.ZipInfo(f"cat/{name}.png")
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, "/etc/passwd")
    assert ingested(zoo, path).rejects == {
        "cat/link.png": "symbolic link",
        "cat/pipe.png": "not a regular file",
        "cat/device.png": "not a regular file",
    }


@pytest.mark.parametrize("sparse", ["old", "pax"])
def test_sparse_members_of_a_tar(zoo, sparse):
    data = zoo.encode(zoo.pixels(0))
    if sparse == "pax":
        headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "cat/x.png"}
        headers |= {"GNU.sparse.size": str(2**40), "GNU.sparse.map": f"0,{len(data)}"}
        odd = member("cat/x.png", data, pax_headers=headers)
        path = tarred(zoo.given / "set.tar", [*good_members(zoo), odd])
    else:
        info, _ = member("cat/x.png", data, type=tarfile.GNUTYPE_SPARSE)
        head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        head[386:410] = b"%011o\0%011o\0" % (0, len(data))
        head[483:495] = b"%011o\0" % 2**32
        head[148:156] = b"%06o\0 " % (sum(head[:148]) + sum(head[156:512]) + 8 * 32)
        path = tarred(zoo.given / "set.tar", good_members(zoo))
        with tarfile.open(path) as archive:
            end = max(each.offset_data + -(-each.size // 512) * 512 for each in archive)
        whole = path.read_bytes()[:end]
        path.write_bytes(whole + bytes(head) + data.ljust(-(-len(data) // 512) * 512, b"\0") + bytes(1024))
    assert ingested(zoo, path).rejects == {"cat/x.png": "not a regular file"}


def test_swollen_zips(zoo):
    flat = zipped(zoo.given / "flat.zip", {"cat/bomb.png": bytes(2**27)})
    assert "would unpack to more than 200 times its" in zoo.refuse(flat)
    assert flat.stat().st_size < 2**18


def test_a_zip_whose_members_overlap(zoo):
    """Many entries of the directory share one stretch of packed bytes, as in David Fifield's `zbsm`."""
    body = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(2**20)
    packed = body.compress(zeros) + body.flush()
    crc, count = zlib.crc32(zeros), 200
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(packed), len(zeros), 9, 0) + b"cat/0.png"
    directory = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(packed), len(zeros), 13, 0, 0, 0, 0, 0, 0)
        + b"cat/%05d.png" % index
        for index in range(count)
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(local) + len(packed), 0)
    path = zoo.given / "set.zip"
    path.write_bytes(local + packed + directory + end)
    assert f"{path} would unpack to more than 200 times its" in zoo.refuse(path)


def test_a_swollen_member_that_claims_to_be_small(zoo):
    path = zipped(zoo.given / "set.zip", zoo.good_files() | {"cat/bomb.png": bytes(2**26)})
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\1\2", 0, whole.rindex(b"cat/bomb.png"))
    whole[at + 24 : at + 28] = struct.pack("<I", 1000)
    path.write_bytes(whole)
    assert ingested(zoo, path).rejects == {"cat/bomb.png": "broken archive member"}


@pytest.mark.parametrize("packer", [gzip.compress, bz2.compress, lzma.compress])
def test_swollen_tars(zoo, packer):
    block = packer(bytes(2**20))
    path = zoo.given / "set.tar.packed"
    path.write_bytes(packer(b"cat/x.png") + block * 100)  # packed streams in a row are one stream
    message = zoo.refuse(path)
    assert f"{path} would unpack to more than 200 times its" in message
    left = [file.stat().st_size for file in zoo.made.rglob("*") if file.is_file()]
    assert sum(left) <= 3 * 2**27


def test_a_stretch_of_blank_bitmaps_is_no_bomb(zoo):
    files = {f"cat/blank{index}.bmp": zoo.encode(zoo.pixels(0, 500, 500) * 0, "BMP") for index in range(20)}
    outcome = ingested(zoo, zipped(zoo.given / "set.zip", zoo.good_files() | files))
    assert set(outcome.rejects.values()) == {"blank"}


def test_archives_within_archives_are_no_images(zoo):
    hidden = {f"bird/{index}.png": zoo.encode(zoo.pixels(index)) for index in range(3)}
    inner = zipped(zoo.given / "inner.zip", hidden).read_bytes()
    outcome = ingested(zoo, zipped(zoo.given / "set.zip", zoo.good_files() | {"cat/inner.zip": inner}))
    assert outcome.rejects == {"cat/inner.zip": "no known sort of image"}
    # Stored last in a tar, the inner zip's end is where a zip's end is looked for.
    outcome = ingested(zoo, tarred(zoo.given / "set.tar", [*good_members(zoo), member("zz.zip", inner)]))
    assert outcome.info.class_names == ("cat", "dog")


def test_members_that_are_encrypted_or_packed_in_another_way(zoo):
    data = zoo.encode(zoo.pixels(0))
    path = zipped(zoo.given / "set.zip", zoo.good_files() | {"dog/locked.png": data})
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\1\2", 0, whole.rindex(b"dog/locked.png"))
    whole[at + 8] |= 1
    path.write_bytes(whole)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("cat/bz.png", zoo.encode(zoo.pixels(1)), zipfile.ZIP_BZIP2)
        archive.writestr("cat/lz.png", zoo.encode(zoo.pixels(2)), zipfile.ZIP_LZMA)
    outcome = ingested(zoo, path)
    assert outcome.rejects == {"dog/locked.png": "encrypted"}
    assert outcome.has([zoo.pixels(1), zoo.pixels(2)])


def test_names_that_are_odd_and_long(zoo):
    images = [zoo.pixels(index) for index in range(6)]
    names = ["cat/🐈.png", "cat/cafe\u0301.png", "cat/caf\u00e9.png", "cat/\u202egnp.png", "cat/" + "x" * 251 + ".png"]
    names.append("cat/" + "y/" * 400 + "y.png")
    files = {name: zoo.encode(image) for name, image in zip(names, images, strict=True)}
    too_long = "cat/" + "z" * 5000 + ".png"
    for path in (
        zipped(zoo.given / "a.zip", zoo.good_files() | files | {too_long: files[names[0]]}),
        tarred(zoo.given / "a.tar", good_members(zoo) + [member(*item) for item in [*files.items(), (too_long, b"x")]]),
    ):
        outcome = ingested(zoo, path)
        assert outcome.has(images)
        assert outcome.rejects == {too_long[:4096]: "impossible name"}


def test_a_member_of_a_zip_without_a_name(zoo):
    path = zipped(zoo.given / "set.zip", zoo.good_files() | {"x": zoo.encode(zoo.pixels(0))})
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\1\2")
    # Its name becomes its comment.
    whole[at + 28 : at + 30], whole[at + 32 : at + 34] = b"\0\0", b"\1\0"
    path.write_bytes(whole)
    assert ingested(zoo, path).info.rejects in ({}, {"impossible name": 1})


def test_names_that_are_no_text(zoo):
    images = [zoo.pixels(index) for index in range(2)]
    odd = [
        member(os.fsdecode(name), zoo.encode(image))
        for name, image in zip((b"cat/caf\xe9.png", b"cat/caf\xe8.png"), images, strict=True)
    ]
    path = tarred(zoo.given / "set.tar", good_members(zoo) + odd, format=tarfile.GNU_FORMAT)
    outcome = ingested(zoo, path)
    assert outcome.rejects == {}
    assert outcome.has(images)


def test_an_archive_whose_own_name_is_no_text(zoo):
    path = zipped(zoo.given / "set.zip", zoo.good_files())
    for name in (b"s\xe9t.zip", b"two\nlines.zip"):
        os.rename(path, path := os.path.join(zoo.given, os.fsdecode(name)))
    assert ingested(zoo, path).rejects == {}
    os.rename(path, path := os.fsdecode(os.fsencode(zoo.given) + b"/s\xe9t.zip"))
    assert zoo.ingest(path).info.name == "s\ufffdt"


def test_an_archive_given_through_a_link(zoo):
    for path in (
        zipped(zoo.given / "real.zip", zoo.good_files()),
        tarred(zoo.given / "real.tar", good_members(zoo)),
        tarred(zoo.given / "real.tgz", good_members(zoo), "w:gz"),
    ):
        link = path.with_name(f"link{path.suffix}")
        link.symlink_to(path)
        assert ingested(zoo, link).rejects == {}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar.xz"])
def test_archives_cut_short(zoo, suffix, share):
    path = zoo.given / f"set.{suffix}"
    if suffix == "zip":
        zipped(path, zoo.good_files())
    else:
        tarred(path, good_members(zoo), f"w:{suffix[4:]}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert str(path) in zoo.refuse(path)


def test_a_tar_cut_or_damaged_anywhere_loses_nothing_in_silence(zoo):
    path = tarred(zoo.given / "set.tar", good_members(zoo))
    with tarfile.open(path) as archive:
        places = [each.offset for each in archive][10]
    whole = path.read_bytes()
    for name, damaged in {
        "in a header": whole[: places + 100],
        "in the pixels": whole[: places + 600],
        "a bit of a header": whole[: places + 20] + b"\xff" + whole[places + 21 :],
        "a header gone": whole[:places] + b"\xa5" * 512 + whole[places + 512 :],
    }.items():
        path.write_bytes(damaged)
        assert "broken" in zoo.refuse(path), name


def test_a_member_whose_bytes_are_damaged(zoo):
    path = zipped(zoo.given / "set.zip", zoo.good_files() | {"cat/x.png": zoo.encode(zoo.pixels(0))})
    whole = bytearray(path.read_bytes())
    at = whole.index(b"cat/x.png") + 30
    whole[at] ^= 0xFF
    path.write_bytes(whole)
    assert ingested(zoo, path).rejects == {"cat/x.png": "broken archive member"}


@pytest.mark.parametrize("field", ["packed", "place"])
def test_a_zip_that_claims_sizes_and_places_beyond_all_files(zoo, field):
    path = zipped(zoo.given / "set.zip", zoo.good_files() | {"cat/x.png": zoo.encode(zoo.pixels(0))})
    whole = path.read_bytes()
    at = whole.rindex(b"PK\1\2", 0, whole.rindex(b"cat/x.png"))
    entry, rest = bytearray(whole[at : at + 46 + 9]), whole[at + 46 + 9 :]
    entry[30:32] = struct.pack("<H", 12)
    where = 20 if field == "packed" else 42
    entry[where : where + 4] = b"\xff" * 4
    end = bytearray(rest)
    size = end.rindex(b"PK\5\6") + 12
    end[size : size + 4] = struct.pack("<I", struct.unpack_from("<I", end, size)[0] + 12)
    extra = struct.pack("<HHQ", 1, 8, 2**63 + 5 if field == "place" else 2**62)
    path.write_bytes(whole[:at] + entry + extra + end)
    outcome = ingested(zoo, path)
    assert set(outcome.rejects) == {"cat/x.png"}


def test_a_tar_that_steps_backwards(zoo):
    """A negative size leads Python's reader back to where it was, for ever (CVE-2025-8194)."""
    path = tarred(zoo.given / "set.tar", good_members(zoo))
    whole = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        at = list(archive)[-1].offset
    whole[at + 124 : at + 136] = (-512).to_bytes(12, "big", signed=True)
    whole[at + 148 : at + 156] = b"%06o\0 " % (sum(whole[at : at + 148]) + sum(whole[at + 156 : at + 512]) + 8 * 32)
    path.write_bytes(whole)
    assert "broken" in zoo.refuse(path)


def test_a_tar_with_a_header_that_takes_older_pythons_for_ever_to_read(zoo):
    """Their search in extended headers is quadratic (CVE-2024-6232); a megabyte of digits packs to a kilobyte."""
    odd = [member("././@PaxHeader", b"1" * 2**20, type=tarfile.XHDTYPE), member("cat/x.png", b"x")]
    path = tarred(zoo.given / "set.tgz", good_members(zoo) + odd, "w:gz")
    assert f"the archive {path} is broken" in zoo.refuse(path)


def test_a_name_that_comes_twice_is_the_later_file(zoo):
    files = [*good_members(zoo), member("cat/x.png", b"no image"), member("cat/x.png", zoo.encode(zoo.pixels(0)))]
    outcome = ingested(zoo, tarred(zoo.given / "set.tar", files))
    assert outcome.rejects == {"cat/x.png": "a later file has the same name"}
    assert outcome.has([zoo.pixels(0)])


def test_one_folder_around_all_images_is_no_class_whatever_lies_beside_it(zoo):
    files = {f"set/{name}": data for name, data in zoo.good_files().items()}
    assert ingested(zoo, zipped(zoo.given / "a.zip", files)).rejects == {}
    assert ingested(zoo, zipped(zoo.given / "b.zip", files | {"README.md": b"x"})).rejects == {}
    assert ingested(zoo, tarred(zoo.given / "c.tar", [member(*each) for each in (files | {"LICENSE": b"x"}).items()]))


def test_an_empty_archive_and_one_without_images(zoo):
    assert "no image was found" in zoo.refuse(zipped(zoo.given / "a.zip", {}))
    assert "no image was found" in zoo.refuse(zipped(zoo.given / "b.zip", {"readme.txt": b"x", "cat/": b""}))
    assert "a.tar" in zoo.refuse(tarred(zoo.given / "a.tar", []))
    assert "no image was found" in zoo.refuse(tarred(zoo.given / "b.tar", [member("readme.txt", b"x")]))
