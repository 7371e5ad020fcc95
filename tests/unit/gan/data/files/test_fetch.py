"""Files behind URLs: a real server on this machine, folders, and fsspec's memory."""

import pytest

from gan.data.files import fetch as module
from gan.data.files.fetch import fetch


@pytest.fixture
def folder(tmp_path):
    for path in ("set/cat/1.png", "set/cat/2 ö#%.png", "set/dog/[3]*.png", "set/notes.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path / "set"


def listed(path):
    return {
        each.relative_to(path).as_posix(): each.read_bytes()
        for each in path.rglob("*")
        if each.is_file() and not each.name.startswith(".fetched")
    }


def gets(server):
    return [path for command, path in server.asked if command == "GET"]


def test_a_file_comes_over_http_under_its_name(server, tmp_path):
    body = bytes(range(256)) * 999
    server.files["/sets/a b.zip?key=s3cret"] = (200, body, {})
    seen = []
    path = fetch(f"{server.url}/sets/a%20b.zip?key=s3cret", tmp_path, lambda *at: seen.append(at))
    assert path.read_bytes() == body
    assert path.name == "a%20b.zip"
    assert tmp_path in path.parents
    assert seen[-1] == (len(body), len(body))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_file_whose_size_the_server_does_not_say(server, tmp_path):
    server.files["/a.zip"] = (200, b"body", {"Content-Length": ""})
    seen = []
    assert fetch(f"{server.url}/a.zip", tmp_path, lambda *at: seen.append(at)).read_bytes() == b"body"
    assert {total for _, total in seen} == {0}


@pytest.mark.parametrize("told", [{"ETag": '"1"'}, {"Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}])
def test_what_is_there_unchanged_is_not_fetched_again(server, tmp_path, told):
    server.files["/a.zip"] = (200, b"first", told)
    first = fetch(f"{server.url}/a.zip", tmp_path)
    assert fetch(f"{server.url}/a.zip", tmp_path) == first
    assert gets(server) == ["/a.zip"]
    first.unlink()
    assert fetch(f"{server.url}/a.zip", tmp_path).read_bytes() == b"first"
    assert gets(server) == ["/a.zip"] * 2


@pytest.mark.parametrize(
    ("before", "after", "body"),
    [
        ({"ETag": '"1"'}, {"ETag": '"2"'}, b"other"),
        (
            {"Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"},
            {"Last-Modified": "Thu, 22 Oct 2026 07:28:00 GMT"},
            b"other",
        ),
        ({}, {}, b"longer"),
        ({}, {}, b"other"),
    ],
    ids=["tag", "age", "size", "nothing"],
)
def test_what_changed_is_fetched_again(server, tmp_path, before, after, body):
    server.files["/a.zip"] = (200, b"first", before)
    assert fetch(f"{server.url}/a.zip", tmp_path).read_bytes() == b"first"
    server.files["/a.zip"] = (200, body, after)
    assert fetch(f"{server.url}/a.zip", tmp_path).read_bytes() == body


def test_a_folder_comes_with_everything_below_it(folder, tmp_path):
    path = fetch(f"file://{folder}", tmp_path / "scratch")
    assert listed(path) == {name: f"set/{name}".encode() for name in listed(folder)}
    assert path.name == folder.name  # by which the dataset is called


def test_of_a_folder_only_what_changed_is_fetched_and_what_is_gone_goes(folder, tmp_path):
    path = fetch(f"file://{folder}", tmp_path / "scratch")
    inodes = {name: (path / name).stat().st_ino for name in listed(path)}
    (folder / "notes.txt").unlink()
    (folder / "cat" / "1.png").write_text("SET/cat/1.png")  # as long as before
    (folder / "new.png").write_text("new")
    (path / "stray.png").write_text("of an earlier run")
    assert listed(fetch(f"file://{folder}", tmp_path / "scratch")) == listed(folder)
    again = {name: (path / name).stat().st_ino for name in listed(path)}
    unchanged = {"cat/2 ö#%.png", "dog/[3]*.png"}
    assert {name for name in again if again[name] == inodes.get(name)} == unchanged


def test_a_killed_fetch_goes_on_where_it_was(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 1)

    def kill(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(f"file://{folder}", tmp_path / "scratch", kill)
    before = {path: path.stat().st_ino for path in (tmp_path / "scratch").rglob("*") if path.suffix == ".png"}
    assert before
    path = fetch(f"file://{folder}", tmp_path / "scratch")
    assert listed(path) == listed(folder)
    for kept, inode in before.items():
        assert kept.stat().st_ino == inode


def test_a_folder_and_a_file_in_memory(memory, tmp_path):
    memory.pipe({"/bucket/set/a/1.png": b"one", "/bucket/set/2.png": b"two", "/bucket/other.png": b"x"})
    assert listed(fetch("memory://bucket/set", tmp_path)) == {"a/1.png": b"one", "2.png": b"two"}
    assert fetch("memory://bucket/other.png", tmp_path).read_bytes() == b"x"


def test_two_urls_do_not_share_a_place(memory, tmp_path):
    memory.pipe({"/a/1.png": b"one", "/b/1.png": b"two"})
    first, second = (fetch(f"memory://{name}/1.png", tmp_path) for name in "ab")
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
