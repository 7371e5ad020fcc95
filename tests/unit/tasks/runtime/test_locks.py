"""Locks of a home that several people use."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import Timeout

from tasks.runtime.locks import alone_with, hold_lock, reading

OTHER = """
import os, sys
from pathlib import Path
import rich.console, rich._emoji_codes
import tasks.runtime.failures
from flows.command.console import errors_as_sentences
from tasks.runtime.locks import hold_lock
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(65534)
with errors_as_sentences(), hold_lock(Path(sys.argv[1]), timeout=0):
    print("held")
"""


@pytest.fixture
def open_folder():
    """Unlike pytest's own, one that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def another_user(path, group):
    return subprocess.run(
        [sys.executable, "-c", OTHER, str(path), str(group)], capture_output=True, text=True, timeout=60
    )


def test_a_lock_is_held_by_one_at_a_time_and_by_a_block_within_only_if_that_is_asked_for(tmp_path):
    path = tmp_path / "made" / "a.lock"
    with hold_lock(path), pytest.raises(Timeout), hold_lock(path, timeout=0):
        pytest.fail("held twice")
    with hold_lock(path, again=True), hold_lock(path, again=True):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs the rights of root")
def test_a_second_user_of_the_group_may_lock_and_a_stranger_is_told(open_folder):
    group, path = 4711, open_folder / "home" / "dvc.lock"
    path.parent.mkdir()
    os.chown(path.parent, 0, group)
    path.parent.chmod(0o2775)
    before = os.umask(0o022)
    try:
        with hold_lock(path):
            pass
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o664
    done = another_user(path, group)
    assert (done.stdout, done.stderr) == ("held\n", "")
    path.chmod(0o600)  # as one that an earlier version or a strict umask left
    done = another_user(path, group)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ganflow: the lock {path} is another user's: work as that user, or have them share")
    assert done.stderr.count("\n") == 1


READER = """
import sys
from pathlib import Path
from tasks.runtime.locks import reading
with reading(Path(sys.argv[1])):
    print("reads", flush=True)
    sys.stdin.read()
"""


def test_nobody_is_alone_with_a_folder_that_others_read_and_a_killed_reader_is_none(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "reads\n"
        with pytest.raises(Timeout), alone_with(tmp_path):
            pytest.fail("it is read")
        with reading(tmp_path):  # several may
            pass
    finally:
        process.kill()
        process.wait()
    with alone_with(tmp_path), pytest.raises(Timeout), alone_with(tmp_path):
        pytest.fail("held twice")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_is_read_all_the_same_and_what_is_gone_is_nobodys(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "gone", Path("a\0b")):
        with reading(path):
            pass
    with alone_with(tmp_path / "gone"):
        pass
    with pytest.raises(NotADirectoryError), alone_with(tmp_path / "file"):
        pytest.fail("a file is no folder")
