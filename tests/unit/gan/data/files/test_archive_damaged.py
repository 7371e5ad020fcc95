"""Archives that are too much, cut short or damaged."""

import contextlib
import random
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gan.data.files import archive as module
from gan.data.files.archive import tar_tree, zip_tree
from gan.data.files.blob import UnreadableError, read_blob
from gan.errors import DatasetError

FILES = {"cat/1.png": b"one", "cat/2.png": b"two" * 300, "dog/3.png": b"three", "notes.txt": b"text"}


def listed(tree_of, path):
    """Return the tree and no refusal, or none and why."""
    try:
        return tree_of(path, "there"), ""
    except DatasetError as error:
        return None, str(error)


def test_too_many_members_are_refused(tmp_path, kind, monkeypatch):
    make, tree_of = kind
    path = make(tmp_path / "a", FILES)
    monkeypatch.setattr(module, "MAX_MEMBERS", len(FILES))
    assert len(tree_of(path, "a").entries) == len(FILES)
    monkeypatch.setattr(module, "MAX_MEMBERS", len(FILES) - 1)
    with pytest.raises(DatasetError, match="a has more than 3 members: give it in several archives"):
        tree_of(path, "a")


def test_a_zip_that_swells_beyond_the_ratio_is_refused(tmp_path, zipped, monkeypatch):
    path = zipped(tmp_path / "a.zip", {"1.png": bytes(10**6)})
    assert len(zip_tree(path, "a").entries) == 1  # little, so harmless
    monkeypatch.setattr(module, "HARMLESS_BYTES", 10**6 - 1)
    with pytest.raises(DatasetError, match=r"a would unpack to more than 200 times its .* decompression bomb"):
        zip_tree(path, "a")
    monkeypatch.setattr(module, "MAX_RATIO", 10**6 / path.stat().st_size)
    assert len(zip_tree(path, "a").entries) == 1


def test_members_that_overlap_are_counted_together(tmp_path, zipped, monkeypatch):
    path = zipped(tmp_path / "a.zip", {f"{index:04d}.png": bytes(10**4) for index in range(50)})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    while at >= 0:  # all are the first one's bytes
        data[at + 42 : at + 46] = bytes(4)
        at = data.find(b"PK\x01\x02", at + 4)
    first = data.index(b"PK\x03\x04", 4)
    (tmp_path / "b.zip").write_bytes(data[:first] + data[data.index(b"PK\x01\x02") :])
    monkeypatch.setattr(module, "MAX_RATIO", 60)
    monkeypatch.setattr(module, "HARMLESS_BYTES", 10**5)
    with pytest.raises(DatasetError, match="decompression bomb"):
        zip_tree(tmp_path / "b.zip", "b.zip")


def test_a_tar_that_is_cut_short_is_never_taken_for_a_shorter_one(tmp_path, tarred):
    path = tarred(tmp_path / "a.tar", {f"{index}.png": bytes(700) for index in range(3)})
    data = path.read_bytes()
    for length in [*range(1, 3 * 1536, 37), 1536, 2 * 1536, 3 * 1536, 3 * 1536 + 100]:
        path.write_bytes(data[:length])
        with pytest.raises(DatasetError, match=r"a\.tar is broken"):
            tar_tree(path, "a.tar")
    path.write_bytes(data[: 3 * 1536 + 512])  # one block of zeros is an end
    assert len(tar_tree(path, "a.tar").entries) == 3


def test_a_tar_with_a_broken_header_between_two_members_is_broken(tmp_path, tarred):
    path = tarred(tmp_path / "a.tar", {f"{index}.png": b"x" for index in range(5)})
    data = path.read_bytes()
    path.write_bytes(data[:2048] + b"\xff" * 200 + data[2248:])
    with pytest.raises(DatasetError, match=r"a\.tar is broken"):
        tar_tree(path, "a.tar")


def test_a_negative_size_in_a_tar_does_not_lead_back_to_an_earlier_member(tmp_path, tar_info, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEMBERS", 50)
    header = bytearray(tar_info("b.png").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = tarfile.itn(-512, 12, tarfile.GNU_FORMAT)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "a.tar"
    path.write_bytes(tar_info("a.png").tobuf() + bytes(header) + bytes(2048))
    tree, refusal = listed(tar_tree, path)
    assert "members" not in refusal
    assert refusal or [entry.path for entry in tree.entries] == ["a.png"]


@pytest.mark.parametrize("data", [b"", b"x" * 2000, bytes(10_240), b"PK\x05\x06" + bytes(10)])
def test_what_is_no_archive_is_broken_or_empty(tmp_path, kind, data):
    (tmp_path / "a").write_bytes(data)
    tree, refusal = listed(kind[1], tmp_path / "a")
    assert refusal.startswith("the archive there is broken (") or tree.entries == ()


def looked_at(tree_of, path):
    """List damaged bytes and read what is listed: a tree or a DatasetError, bytes or a reason, nothing else."""
    tree, refusal = listed(tree_of, path)
    assert len(refusal.splitlines()) == (0 if tree else 1)
    for entry in tree.entries if tree else ():
        assert entry.path.encode("utf-8")
        with contextlib.suppress(UnreadableError):
            assert read_blob(entry.blob)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), places=st.lists(st.integers(0, 10**6), max_size=8), cut=st.integers(0, 3000))
def test_damaged_archives_are_trees_or_explained(tmp_path, kind, seed, places, cut):
    make, tree_of = kind
    data = bytearray(make(tmp_path / "a", FILES).read_bytes())
    dice = random.Random(seed)
    for place in places:
        at = place % len(data)
        data[at : at + dice.choice([1, 1, 4])] = dice.choice([b"\0", b"\xff\xff\xff\xff", dice.randbytes(4)])
    (tmp_path / "a").write_bytes(data[: -cut % len(data)] if seed % 3 == 0 else data)
    looked_at(tree_of, tmp_path / "a")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=1500))
def test_random_bytes_are_trees_or_explained(tmp_path, kind, data):
    (tmp_path / "a").write_bytes(data)
    looked_at(kind[1], tmp_path / "a")
