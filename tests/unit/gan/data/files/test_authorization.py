"""The credential of a source reaches its own server, and no other."""

import asyncio
from types import SimpleNamespace

import pytest
from yarl import URL

from gan.data.files.authorization import authorization, only_at
from gan.data.files.fetch import fetch
from gan.errors import DatasetError


def test_a_token_is_a_bearer_and_user_with_password_is_basic():
    assert authorization("hunter2") == "Bearer hunter2"
    assert authorization("alice:hunter2") == "Basic YWxpY2U6aHVudGVyMg=="


def test_the_server_gets_it_with_every_request(server, tmp_path):
    server.files["/a.zip"] = (200, b"body", {})
    assert fetch(f"{server.url}/a.zip", tmp_path, authorization="Bearer hunter2").read_bytes() == b"body"
    assert set(server.authorized) == {"Bearer hunter2"}
    assert len(server.asked) > 1


def test_a_redirect_elsewhere_does_not(server, another_server, tmp_path):
    server.files["/a.zip"] = (302, b"", {"Location": f"{another_server.url}/b.zip"})
    another_server.files["/b.zip"] = (200, b"body", {})
    assert fetch(f"{server.url}/a.zip", tmp_path, authorization="Bearer hunter2").read_bytes() == b"body"
    assert set(server.authorized) == {"Bearer hunter2"}
    assert set(another_server.authorized) == {None}


def test_a_redirect_back_to_it_does(server, another_server, tmp_path):
    server.files["/a.zip"] = (302, b"", {"Location": f"{another_server.url}/b.zip"})
    another_server.files["/b.zip"] = (302, b"", {"Location": f"{server.url}/c.zip"})
    server.files["/c.zip"] = (200, b"body", {})
    assert fetch(f"{server.url}/a.zip", tmp_path, authorization="Bearer hunter2").read_bytes() == b"body"
    assert set(server.authorized) == {"Bearer hunter2"}
    assert set(another_server.authorized) == {None}


def test_a_refusal_does_not_show_it(server, tmp_path):
    server.files["/a.zip"] = (401, b"", {})
    with pytest.raises(DatasetError, match="the server answers 401") as caught:
        fetch(f"{server.url}/a.zip", tmp_path, authorization="Bearer hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "asked", "told"),
    [
        ("https://host/a", "https://host/b?c", True),
        ("https://host/a", "https://host:444/a", False),
        ("https://host/a", "http://host/a", False),
        ("https://host/a", "https://host.evil/a", False),
        ("http://host/a", "http://host/a", False),
        ("http://localhost:8/a", "http://localhost:8/a", True),
    ],
)
def test_who_is_told(source, asked, told):
    request = SimpleNamespace(url=URL(asked), headers={})

    async def handle(request):
        return request

    asyncio.run(only_at(source, "Bearer hunter2")(request, handle))
    assert request.headers == ({"Authorization": "Bearer hunter2"} if told else {})
