"""URLs behind which nothing is, or nothing that may be taken: one sentence, and no secret in it."""

import re
import shutil
import socket
from collections import namedtuple
from urllib.parse import unquote

import pytest

from gan.data.files.fetch import fetch, is_url
from gan.errors import DatasetError, ResourcesError, ServiceError

SECRETS = ("hunter2", "s3cret", "alice")


def refusal(url, scratch, kind=DatasetError):
    with pytest.raises(kind) as caught:
        fetch(url, scratch)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert not [word for word in SECRETS if word in message]
    return message


def test_names_that_lead_outside_are_refused(memory, tmp_path, monkeypatch):
    memory.pipe({"/set/1.png": b"one", "/evil.png": b"evil"})
    found = memory.find("/set", detail=True)
    for name in ("/set/../evil.png", "/evil.png", "/set/.fetched.json"):
        info = {**found["/set/1.png"], "name": name}
        monkeypatch.setattr(memory.__class__, "find", lambda *_, info=info, **__: {info["name"]: info})
        assert "cannot be fetched" in refusal("memory://set", tmp_path / "scratch")
    assert not list(tmp_path.rglob("*.png"))


def test_nothing_there_is_explained(server, memory, tmp_path):
    (tmp_path / "empty").mkdir()
    for url in (
        f"{server.url}/nothing.zip",
        f"file://{tmp_path}/nothing",
        f"file://{tmp_path}/empty",
        "memory://nothing",
    ):
        assert re.match(
            re.escape(url) + r" cannot be fetched \(there is nothing\): correct the", refusal(url, tmp_path)
        )


def test_a_server_that_is_not_there_is_explained(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = refusal(f"http://alice:hunter2@127.0.0.1:{port}/a.zip?key=s3cret", tmp_path, ServiceError)
    assert message.startswith(f"http://127.0.0.1:{port}/a.zip cannot be fetched (")
    assert "there is nothing" not in message  # that would be for who typed the wrong name


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_secrets_in_a_url_are_never_shown(server, tmp_path, status):
    place = server.url.removeprefix("http://")
    for query in ("key=s3cret", "key=%73%33cret", "a=%2Fs3cret%3d", "key=s3cret#part"):
        server.files[unquote(f"/a.zip?{query.split('#')[0]}")] = (status, b"", {})
        kind = ServiceError if status == 500 else DatasetError
        message = refusal(f"http://alice:hunter2@{place}/a.zip?{query}", tmp_path, kind)
        assert message.startswith(f"{server.url}/a.zip cannot be fetched")


@pytest.mark.parametrize("query", ["key=s3cret", "key=%73%33cret", "a=%2Fs3cret%3d", "key=s3cret&key=hunter2"])
def test_secrets_are_not_shown_where_a_server_lists_a_file_and_then_refuses_it(server, tmp_path, query):
    place = server.url.removeprefix("http://")
    server.files[unquote(f"/a.zip?{query}")] = (200, b"body", {})
    server.refused.add(unquote(f"/a.zip?{query}"))
    assert "403" in refusal(f"http://alice:hunter2@{place}/a.zip?{query}", tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.name == "a.zip"]


def test_a_body_that_breaks_off_is_explained_and_not_kept(server, tmp_path):
    server.files["/a.zip"] = (200, b"half", {"Content-Length": "8"})
    assert "cannot be fetched" in refusal(f"{server.url}/a.zip", tmp_path, ServiceError)
    assert not [path for path in tmp_path.rglob("*") if path.name == "a.zip"]


def test_what_the_server_says_is_told(server, tmp_path):
    server.files["/a.zip"] = (403, b"", {})
    assert "there is nothing" not in refusal(f"{server.url}/a.zip", tmp_path)


def test_secrets_of_a_redirect_are_never_shown(server, tmp_path):
    server.files["/a.zip"] = (302, b"", {"Location": f"{server.url}/b.zip?signature=s3cret"})
    server.files["/b.zip?signature=s3cret"] = (403, b"", {})
    assert "cannot be fetched" in refusal(f"{server.url}/a.zip", tmp_path)


def test_a_host_that_nobody_knows_is_a_wrong_address(tmp_path):
    assert "cannot be fetched" in refusal("http://no.such.host.invalid/a.zip", tmp_path)


@pytest.mark.parametrize("url", ["nosuch://a/b", "http://alice:hunter2@[::1/a.zip", "http://", "://"])
def test_odd_urls_are_explained(url, tmp_path):
    refusal(url, tmp_path)


def test_what_a_url_is():
    assert is_url("s3://bucket/folder")
    assert not is_url("folder/set.zip")


def test_a_disk_too_small_is_explained_before_anything_comes(server, tmp_path, monkeypatch):
    server.files["/a.zip"] = (200, bytes(1000), {})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 2**20))
    with pytest.raises(ResourcesError, match="has 1 MiB left"):
        fetch(f"{server.url}/a.zip", tmp_path)
    assert not [path for command, path in server.asked if command == "GET"]
