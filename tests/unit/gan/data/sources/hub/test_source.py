"""Names of Hugging Face datasets, and what is said where the library is not there."""

import sys

import pytest

from gan.data.sources.hub.source import HubName, open_hub, parse_hub_name
from gan.errors import DatasetError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist", ("mnist", None, None)),
        ("ylecun/mnist", ("ylecun/mnist", None, None)),
        ("org/name:config", ("org/name", "config", None)),
        ("org/name@refs/convert/parquet", ("org/name", None, "refs/convert/parquet")),
        ("org/name:a b@v1.0", ("org/name", "a b", "v1.0")),
        ("hf://datasets/org/name@main", ("org/name", None, "main")),
    ],
)
def test_a_name_has_a_configuration_and_a_revision(text, expected):
    assert parse_hub_name(text) == HubName(*expected)


def test_a_folder_that_is_there_is_a_name(tmp_path, monkeypatch):
    (tmp_path / "a:b@c").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_hub_name("a:b@c") == HubName(str(tmp_path / "a:b@c"), None, None)
    assert parse_hub_name("a:b@c:x") == HubName(str(tmp_path / "a:b@c"), "x", None)


@pytest.mark.parametrize("text", ["", "/nowhere/at/all", "a/b/c", "../x", "a b", "https://host/x", ":config", "x\0y"])
def test_what_can_be_no_name_is_refused(text, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # anything may lie beside where the tests run
    with pytest.raises(DatasetError, match="names no Hugging Face dataset") as caught:
        parse_hub_name(text)
    assert "\n" not in str(caught.value)


def test_the_missing_library_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetError, match=r"pip install 'ganflow\[hf\]'"):
        open_hub("org/name", (255, 255, 255), tmp_path)


@pytest.mark.parametrize("text", ["~\0", "~\ud800", "\0", "~\0:config"])
def test_a_home_of_a_user_whom_no_machine_can_have_is_no_folder(text):
    with pytest.raises(DatasetError, match="names no Hugging Face dataset"):
        parse_hub_name(text)
