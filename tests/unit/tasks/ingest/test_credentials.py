"""Which credential a source gets."""

import pytest

from gan.errors import InputError
from tasks.ingest.credentials import find_authorization
from tasks.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("GANFLOW_SOURCE_TOKEN", raising=False)
    (tmp_path / "netrc").write_text("machine known.org login alice password hunter2\n")
    (tmp_path / "netrc").chmod(0o600)
    return lambda token=None: Settings(ganflow_home=tmp_path, ganflow_source_token=token)


def test_the_environment_goes_before_netrc(settings):
    assert find_authorization(settings("tok3n"), "https://known.org/a.zip", None) == "Bearer tok3n"
    assert find_authorization(settings(), "https://known.org/a.zip", None) == "Basic YWxpY2U6aHVudGVyMg=="
    assert find_authorization(settings(), "https://other.org/a.zip", None) is None
    assert find_authorization(settings(""), "https://other.org/a.zip", None) is None


@pytest.mark.parametrize("source", ["digits", "folder/a.zip", "s3://bucket/a.zip", "org/name"])
def test_what_is_no_web_server_gets_none(settings, source):
    assert find_authorization(settings("tok3n"), source, None) is None


@pytest.mark.parametrize("source", ["digits", "s3://bucket/a.zip", "http://known.org/a.zip"])
def test_a_block_for_anything_but_https_is_refused(settings, source):
    with pytest.raises(InputError, match="--source-secret is for https"):
        find_authorization(settings(), source, "mine")


def test_the_settings_do_not_show_it(settings):
    assert "tok3n" not in repr(settings("tok3n"))


@pytest.mark.parametrize("source", ["http://[", "https://[::1", "https://a]b/c"])
def test_what_is_no_address_gets_none(settings, source):
    assert find_authorization(settings(), source, None) is None
