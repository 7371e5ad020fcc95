"""What a run that Prefect started may read, asked in hostile spellings."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import InputError
from tasks.ingest.allowed_sources import AllowedSources, limits_of_this_run
from tasks.runtime.settings import Settings

LISTED = "https://a.example/sets:s3://bucket/photos:http://b.example:8080:/srv/photos"


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / "photos").mkdir(parents=True)
    monkeypatch.chdir(home)
    return home


def allowed(home, listed=None):
    return AllowedSources(Settings(ganflow_home=home, ganflow_sources=listed))


def test_below_the_home_everything_may_be_read(home):
    limits = allowed(home)
    assert limits.path("photos") == str(home / "photos")
    assert limits.path(str(home)) == str(home)
    assert limits.source(f"file://{home}/photos", "auto") == str(home / "photos")
    assert limits.source("digits", "auto") == "digits"
    assert limits.source("anything", "digits") == "anything"  # no file is read


def test_a_home_behind_a_link_is_the_home(home, tmp_path):
    (tmp_path / "link").symlink_to(home)
    assert allowed(tmp_path / "link").path(str(tmp_path / "link" / "photos")) == str(home / "photos")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "..",
        "photos/../../other",
        "./photos/../..",
        "{home}/../other",
        "{home}-other",
        "~",
        "~root",
        "~nobody-of-this-name/x",
        "/proc/self/environ",
        "/proc/self/cwd/../x",
        "leads-out",
        "leads-out/x",
        "chain/x",
        "loop",
        "x\0y",
        "",
    ],
)
def test_what_lies_elsewhere_is_refused(home, tmp_path, path):
    outside = tmp_path / "other"
    outside.mkdir()
    (home / "leads-out").symlink_to(outside)
    (home / "chain").symlink_to("leads-out")
    (home / "loop").symlink_to("loop")
    limits = allowed(home / "photos") if path == "" else allowed(home)
    spelled = path.format(home=home) if "{" in path else path
    for ask in (
        limits.path,
        lambda spec: limits.source(spec, "auto"),
        lambda spec: limits.source(f"file://{spec}", ""),
    ):
        with pytest.raises(InputError, match="may not read"):
            ask(spelled)


def test_a_link_inside_is_followed_to_where_it_leads(home):
    (home / "current").symlink_to("photos")
    assert allowed(home).path("current") == str(home / "photos")


def test_listed_folders_and_prefixes_may_be_read(home):
    limits = allowed(home, LISTED)
    for url in (
        "https://a.example/sets",
        "https://a.example/sets/",
        "https://A.Example:443/sets/cats.zip",
        "https://a.example/sets/cats.zip?signature=x/../y",
        "s3://bucket/photos/2026",
        "http://b.example:8080/anything",
    ):
        assert limits.source(url, "auto") == url
    assert limits.path("/srv/photos/cats") == "/srv/photos/cats"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example.evil/sets/x.zip",
        "https://evil/sets/x.zip",
        "https://evil.a.example/sets/x.zip",
        "https://a.example./sets/x.zip",
        "https://a.example@evil/sets/x.zip",
        "https://a.example:443@evil/sets/x.zip",
        "https://user:word@a.example/sets/x.zip",
        "https://evil#@a.example/sets/x.zip",
        "https://evil?@a.example/sets/x.zip",
        "https://evil\\@a.example/sets/x.zip",
        "https://a.example\\@evil/sets/x.zip",
        "https:///a.example/sets/x.zip",
        "https://",
        "://a.example/sets",
        "http://a.example/sets/x.zip",
        "https://a.example:8443/sets/x.zip",
        "https://a.example:0/sets/x.zip",
        "https://a.example:x/sets/x.zip",
        "https://a.example/",
        "https://a.example/setsx.zip",
        "https://a.example/sets-private/x.zip",
        "https://a.example//sets/x.zip",
        "https://a.example/sets/../private/x.zip",
        "https://a.example/sets/%2e%2e/private/x.zip",
        "https://a.example/sets/.%2E/private/x.zip",
        "https://a.example/sets/..;/private/x.zip",
        "https://a.example/sets/..%2fprivate/x.zip",
        "https://a.example/sets/..%5cprivate/x.zip",
        "https://a.example/./sets/x.zip",
        "https://a.example/sets /x.zip",
        "https://a.example/sets\n/x.zip",
        "\thttps://a.example/sets/x.zip",
        "https://ａ.example/sets/x.zip",
        "https://a。example/sets/x.zip",
        "http://[::1]/sets/x.zip",
        "http://[::ffff:127.0.0.1]:8080/x.zip",
        "http://[b.example]:8080/x.zip",
        "http://2130706433/x.zip",
        "http://127.1/x.zip",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:4200/api/admin/settings",
        "http://b.example/anything",
        "FILE:///etc/passwd",
        "file://localhost/etc/passwd/../../../../../../../../etc/passwd",
        "local:///etc/passwd",
        "zip://x::https://a.example/sets/x.zip",
        "simplecache::https://a.example/sets/x.zip",
        "https://a.example/sets/x.zip::file:///etc/passwd",
        "s3://bucket/photos-private",
        "s3://bucket.evil/photos",
        "s3a://bucket/photos",
        "memory://x",
        "github://owner:name@main/x",
        "reference://x",
    ],
)
def test_other_urls_are_refused(home, url):
    with pytest.raises(InputError, match="may not read"):
        allowed(home, LISTED).source(url, "auto")


@given(st.text(max_size=40), st.sampled_from(["https://", "https://a.example", "https://a.example/", "s3://bucket"]))
def test_whatever_follows_nothing_unlisted_passes(tmp_path_factory, text, start):
    limits = AllowedSources(Settings(ganflow_home="/nowhere/home", ganflow_sources="https://a.example/sets"))
    try:
        passed = limits.url(start + text)
    except InputError:
        return
    assert passed.casefold().startswith(("https://a.example/sets", "https://a.example:443/sets"))
    assert passed[passed.index("/sets") + 5 :][:1] in {"", "/", "?", "#"}


def test_a_dataset_of_the_hub_is_an_address_of_its_own(home):
    with pytest.raises(InputError, match=r"may not read 'https://huggingface.co/datasets/org/cats'"):
        allowed(home).source("org/cats", "huggingface")
    limits = allowed(home, "https://huggingface.co/datasets/org")
    assert limits.source("org/cats:small@main", "huggingface") == "org/cats:small@main"
    for name in ("organisation/cats", "/etc", "~root", "../other", "org/../cats"):
        with pytest.raises(InputError):
            limits.source(name, "huggingface")
    assert limits.source("photos:small", "huggingface") == f"{home}/photos:small"


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        ("photos", "photos"),
        ("https://user:word@a.example/x", "https://a.example/x"),
        ("https://", "https:"),
        ("/srv:https://a.example/../x", "https://a.example/../x"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused_without_its_secrets(home, listed, shown):
    with pytest.raises(InputError, match="GANFLOW_SOURCES lists") as caught:
        allowed(home, listed)
    assert shown in str(caught.value)
    assert "word" not in str(caught.value)


def test_a_message_shows_no_secrets_of_an_address(home):
    with pytest.raises(InputError) as caught:
        allowed(home).source("https://user:word@a.example/x?key=word", "auto")
    assert "word" not in str(caught.value)


def test_who_types_a_command_is_not_limited_and_a_worker_is(home, monkeypatch):
    monkeypatch.delenv("PREFECT__FLOW_RUN_ID", raising=False)
    assert limits_of_this_run(Settings(ganflow_home=home)) is None
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "7d3c")  # Prefect's own way to play a deployment
    assert limits_of_this_run(Settings(ganflow_home=home)) is not None


def test_a_run_that_a_worker_started_is_limited_also_without_a_deployment(home, monkeypatch):
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "0b8ad4d2-1111-2222-3333-444455556666")
    assert limits_of_this_run(Settings(ganflow_home=home)) is not None


@pytest.mark.parametrize("listed", [None, "", os.pathsep, f"{os.pathsep}/srv{os.pathsep}"])
def test_empty_entries_count_for_nothing(home, listed):
    with pytest.raises(InputError):
        allowed(home, listed).path("/etc/passwd")
