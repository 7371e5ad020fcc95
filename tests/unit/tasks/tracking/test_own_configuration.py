"""What a person means by a name."""

import pytest

from gan.errors import InputError
from tasks.tracking.own_configuration import kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("champion", "version"),
        ("3", "version"),
        ("0123456789abcdef" * 2, "run"),
        ("0123456789abcdef" * 2 + "0", "version"),
        ("here", "checkpoint"),
        ("there/best", "checkpoint"),
    ],
)
def test_folders_come_first_then_the_ids_of_runs(monkeypatch, tmp_path, name, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "there" / "best").mkdir(parents=True)
    assert kind_of(name) == kind


def test_a_path_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no checkpoint folder"):
        kind_of(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("name", ["~nobody-knows", "~\0", "\0", "\ud800", "~\ud800", "x" * 5000])
def test_what_can_be_no_folder_is_a_version(name):
    assert kind_of(name) == "version"
