"""The secret of a home: made once, for its owner alone, refused where others may know it."""

import os
import re
import threading

import pytest

from flows.services.private_files import create_private, private_folder, replace_private
from flows.services.secret import home_secret, secret_file
from gan.errors import InputError
from tasks.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path):
    (tmp_path / ".ganflow").mkdir()
    return Settings(ganflow_home=tmp_path)


def test_it_is_random_kept_and_only_its_owners(settings, tmp_path):
    secret = home_secret(settings)
    assert re.fullmatch(r"ganflow:[\w-]{43}", secret)
    assert home_secret(settings) == secret
    assert secret_file(settings).stat().st_mode & 0o777 == 0o600
    (tmp_path / "b" / ".ganflow").mkdir(parents=True)
    assert home_secret(Settings(ganflow_home=tmp_path / "b")) != secret
    assert [path.name for path in settings.state_dir.iterdir()] == ["secret"]


def test_who_come_first_at_once_get_the_same(settings):
    found, together = [], threading.Barrier(8)

    def ask():
        together.wait()
        found.append(home_secret(settings))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {home_secret(settings)}


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o644, 0o666, 0o601])
def test_one_that_others_can_reach_is_refused_and_left(settings, mode):
    home_secret(settings)
    secret_file(settings).chmod(mode)
    with pytest.raises(InputError, match=rf"others may have read .*secret \(its mode is {mode:04o}\).*remove the file"):
        home_secret(settings)
    assert secret_file(settings).exists()


@pytest.mark.parametrize(
    "content",
    ["", "\n", "ganflow", "ganflow:", "ganflow:short", "other:long-enough-a-password", 'ganflow:with"quotes-in-it'],
)
def test_one_that_is_none_is_refused_without_being_shown(settings, content):
    create_private(secret_file(settings), content)
    with pytest.raises(InputError, match="does not hold one line ganflow:password") as caught:
        home_secret(settings)
    password = content.partition(":")[2]
    assert not password or password not in str(caught.value)


def test_two_lines_are_refused(settings):
    create_private(secret_file(settings), "ganflow:long-enough-a-password\nganflow:long-enough-a-password\n")
    with pytest.raises(InputError, match="one line"):
        home_secret(settings)


def test_one_that_a_person_wrote_counts(settings):
    create_private(secret_file(settings), "ganflow:a%wish:of#mine")
    assert home_secret(settings) == "ganflow:a%wish:of#mine"


def test_a_link_a_pipe_and_a_folder_are_refused(settings, tmp_path):
    create_private(tmp_path / "elsewhere", "ganflow:long-enough-a-password\n")
    secret_file(settings).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot be read"):
        home_secret(settings)
    secret_file(settings).unlink()
    secret_file(settings).symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot be read"):
        home_secret(settings)
    assert not (tmp_path / "nowhere").exists()
    secret_file(settings).unlink()
    os.mkfifo(secret_file(settings), 0o600)
    with pytest.raises(InputError, match="not a file of yours"):
        home_secret(settings)
    secret_file(settings).unlink()
    secret_file(settings).mkdir()
    with pytest.raises(InputError, match="not a file of yours"):
        home_secret(settings)


def test_one_of_another_user_is_refused(settings, monkeypatch):
    home_secret(settings)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(InputError, match="not a file of yours"):
        home_secret(settings)


def test_private_files_are_never_open_nor_half_written(tmp_path, monkeypatch):
    seen = []
    opened = os.open

    def watched(path, *arguments, **options):
        descriptor = opened(path, *arguments, **options)
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        replace_private(tmp_path / "file", "one")
        replace_private(tmp_path / "file", "two")
        create_private(tmp_path / "file", "three")
    finally:
        os.umask(before)
    assert (tmp_path / "file").read_text() == "two"
    assert seen == [0o600] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_was_open_is_closed(tmp_path):
    (tmp_path / "folder").mkdir(mode=0o755)
    assert private_folder(tmp_path / "folder").stat().st_mode & 0o777 == 0o700
    assert private_folder(tmp_path / "new" / "folder").stat().st_mode & 0o777 == 0o700
