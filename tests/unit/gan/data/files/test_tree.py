"""A folder as a tree."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.data.files import tree as tree_module
from gan.data.files.blob import UnreadableError, read_blob
from gan.data.files.tree import folder_tree, in_tree, is_hidden, printable
from gan.data.records import Reject


def write(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def test_files_are_listed_at_any_depth_sorted_by_path_with_their_size_and_age(tmp_path):
    write(tmp_path / "set", "b.png", "a/z.txt", "a/c/d.png", "a.png", "a-1.png")
    tree = folder_tree(tmp_path / "set")
    assert (tree.name, tree.where, tree.is_archive) == ("set", str(tmp_path / "set"), False)
    assert [entry.path for entry in tree.entries] == ["a-1.png", "a.png", "a/c/d.png", "a/z.txt", "b.png"]
    for entry in tree.entries:
        assert read_blob(entry.blob).decode() == entry.path
        state = os.stat(entry.blob.file)
        assert (entry.blob.size, entry.blob.modified) == (state.st_size, state.st_mtime_ns)
    assert (tree.rejects, tree.empty_folders) == ((), ())


def test_names_alone_are_read_and_how_many_there_are_is_told(tmp_path, monkeypatch):
    write(tmp_path, *(f"{folder}/{number}.png" for folder in "ab" for number in range(15)))
    looked_at, told = [], []
    looks = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: looked_at.append(path) or looks(path))
    monkeypatch.setattr(tree_module, "_TOLD_EVERY", 10)
    entries = folder_tree(tmp_path, told.append).entries
    assert (len(entries), told) == (30, [10, 20, 30, 30])
    assert not [path for path in looked_at if path.endswith(".png")]
    looked_at.clear()
    assert entries[3].blob.file == str(tmp_path / entries[3].path)
    assert looked_at == [str(tmp_path / entries[3].path)]


def test_a_file_that_goes_away_is_for_its_reader_to_refuse(tmp_path):
    write(tmp_path, "a.png")
    (entry,) = folder_tree(tmp_path).entries
    (tmp_path / "a.png").unlink()
    with pytest.raises(UnreadableError, match="cannot be read"):
        read_blob(entry.blob)


def test_paths_are_in_order_where_names_of_folders_and_files_begin_alike(tmp_path):
    paths = ["a!/1", "a-b", "a/b/1", "a/b0", "a/b.c", "a0", "a.d/x/y", "\u00e4/1", "\u00e4\u00e4", "b"]
    write(tmp_path, *paths)
    assert [entry.path for entry in folder_tree(tmp_path).entries] == sorted(paths)
    assert all(read_blob(entry.blob).decode() == entry.path for entry in folder_tree(tmp_path).entries)


def test_what_systems_leave_behind_is_left_out(tmp_path):
    write(tmp_path, "a.png", "._a.png", ".git/b.png", "__MACOSX/c.png", "d/.e/f.png", "d/__MACOSX/g.png", "h/.DS_Store")
    tree = folder_tree(tmp_path)
    assert [entry.path for entry in tree.entries] == ["a.png"]
    assert tree.empty_folders == ("d", "h")


def test_links_to_folders_are_rejected_and_links_to_files_left_to_the_reader(tmp_path):
    write(tmp_path / "elsewhere", "x/1.png")
    write(tmp_path / "set", "cat/1.png")
    (tmp_path / "set" / "cat" / "all").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "set" / "dog").symlink_to("cat", target_is_directory=True)
    (tmp_path / "set" / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "set" / "one.png").symlink_to("cat/1.png")
    (tmp_path / "set" / "nowhere.png").symlink_to("nothing")
    tree = folder_tree(tmp_path / "set")
    assert [entry.path for entry in tree.entries] == ["cat/1.png", "nowhere.png", "one.png"]
    names = ("cat/all/x/1.png", "dog/1.png", "up")  # which leads back
    assert tree.rejects == tuple(Reject(path, "symbolic link", "a linked folder") for path in names)
    assert tree.files == 6


def test_the_folder_itself_may_be_a_link(tmp_path):
    write(tmp_path / "set", "1.png")
    (tmp_path / "link").symlink_to("set")
    assert [entry.path for entry in folder_tree(tmp_path / "link").entries] == ["1.png"]


def test_empty_folders_are_noticed_below_the_root_alone(tmp_path):
    write(tmp_path, "cat/1.png")
    for name in ("dog", "bee/nest", "cat/empty", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    assert folder_tree(tmp_path).empty_folders == ("bee", "dog")


def test_names_that_are_no_utf8_become_text_and_are_read_all_the_same(tmp_path):
    for name in (b"\xff.png", b"\xfe.png", "ö.png".encode()):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(name)
    with_child = os.path.join(os.fsencode(tmp_path), b"\xfd")
    os.mkdir(with_child)
    with open(os.path.join(with_child, b"a.txt"), "wb") as file:
        file.write(b"below")
    *_, below = folder_tree(tmp_path).entries
    assert (below.path, read_blob(below.blob)) == ("\ufffd/a.txt", b"below")
    os.unlink(below.blob.file)
    tree = folder_tree(tmp_path)
    assert sorted(entry.path for entry in tree.entries) == ["ö.png", "\ufffd.png", "\ufffd.png"]
    assert {read_blob(entry.blob) for entry in tree.entries} == {b"\xff.png", b"\xfe.png", "ö.png".encode()}


@given(name=st.binary(min_size=1, max_size=20))
def test_printable_names_can_be_written_as_json_and_parquet(name):
    text = printable(os.fsdecode(name))
    assert text.encode("utf-8").decode("utf-8") == text
    if not any(byte > 127 for byte in name):
        assert text == name.decode()


@pytest.mark.parametrize(
    ("path", "hidden"),
    [("a/b.png", False), (".a", True), ("a/.b/c", True), ("__MACOSX/a", True), ("a/__MACOSX", True), ("a.b", False)],
)
def test_hidden_parts(path, hidden):
    assert is_hidden(path) == hidden


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path):
    with pytest.raises(OSError, match="nothing"):
        folder_tree(tmp_path / "nothing")


def test_a_file_of_a_tree_is_called_by_both_and_the_only_one_once():
    assert in_tree("a/b.npy", "set.zip") == "a/b.npy in set.zip"
    assert in_tree("b.npy", "/data/b.npy") == "/data/b.npy"
    assert in_tree("a\x1b.npy", "set.zip") == r"a\x1b.npy in set.zip"
