"""Names of members in encodings that no flag tells."""

import zipfile

import pytest

from gan.data.files.archive import zip_tree


def zip_of(path, names, encoding, flag=0):
    """A zip whose names have the bytes of an encoding, and the UTF-8 flag or not."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, _ in enumerate(names):
            archive.writestr(f"{number:04d}" + "x" * (len(names[number].encode(encoding)) - 4), b"data")
    data = bytearray(path.read_bytes())
    for number, name in enumerate(names):
        written = name.encode(encoding)
        old = f"{number:04d}".encode() + b"x" * (len(written) - 4)
        at = -1
        while (at := data.find(old, at + 1)) >= 0:
            data[at : at + len(written)] = written
    path.write_bytes(data)
    return path


def listed(tmp_path, names, encoding):
    tree = zip_tree(zip_of(tmp_path / "a.zip", names, encoding), "a.zip")
    return [entry.path for entry in tree.entries], tree.notes


@pytest.mark.parametrize(
    ("encoding", "names", "said"),
    [
        ("cp932", [f"写真/ねこ{number}.png" for number in range(40)], "cp932"),
        ("gb18030", [f"照片/小猫{number}.png" for number in range(40)], "gb18030"),
        ("cp949", [f"사진/고양이{number}.png" for number in range(40)], "cp949"),
        ("utf-8", ["猫/0001.png", "Hündchen/2.png"], "utf-8"),
    ],
)
def test_names_are_read_in_the_encoding_that_they_surely_are_in(tmp_path, encoding, names, said):
    found, notes = listed(tmp_path, names, encoding)
    assert found == sorted(names)
    assert notes == (f"{len(names)} names in a.zip do not say their encoding: read as {said}",)


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["Kätzchen/0001.png", "Hündchen/0002.png"], "cp437"),
        ([f"Füße/größer_{number:04d}.png" for number in range(40)], "cp437"),
        ([f"Évian/été_{number:04d}.png" for number in range(40)], "cp850"),
        ([f"кошки/{number:04d}.png" for number in range(40)], "cp866"),
        (["猫/0001.png"], "cp932"),
    ],
)
def test_names_that_may_be_several_things_stay_what_zip_says_that_they_are(tmp_path, names, encoding):
    found, notes = listed(tmp_path, names, encoding)
    assert found == sorted(name.encode(encoding).decode("cp437") for name in names)
    do_not_say = "name in a.zip does not say its" if len(names) == 1 else "names in a.zip do not say their"
    assert notes == (f"{len(names)} {do_not_say} encoding: taken for cp437",)


def test_plain_names_and_those_that_say_utf8_need_no_note(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("plain.png", b"x")
        archive.writestr("猫.png", b"y")
    tree = zip_tree(tmp_path / "a.zip", "a.zip")
    assert ([entry.path for entry in tree.entries], tree.notes) == (["plain.png", "猫.png"], ())


def test_a_name_in_another_encoding_cannot_lead_outside(tmp_path):
    (evil,) = zip_tree(zip_of(tmp_path / "a.zip", ["../ねこ写真.png"], "cp932"), "a.zip").rejects
    assert evil.reason == "path outside the archive"
