import os
import subprocess
import sys

import pytest

from gan.data.files.atomic import replacing, sweep_drafts, write_whole

WRITING = """
import sys, time
from pathlib import Path
from gan.data.files.atomic import replacing
with replacing(Path(sys.argv[1])) as draft:
    draft.write_text("half")
    print(draft.name, flush=True)
    time.sleep(600)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "note.json"
    write_whole(path, "Größe")
    assert path.read_text("utf-8") == "Größe"

    def fail():
        with replacing(path) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text("utf-8") == "Größe"
    write_whole(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert names(tmp_path) == ["note.json"]


def test_others_may_read_it_as_far_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "note", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "note").stat().st_mode & 0o777 == 0o640


def test_a_killed_writers_draft_is_swept_and_a_living_ones_is_not(tmp_path):
    command = [sys.executable, "-c", WRITING, str(tmp_path / "a")]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as living,
    ):
        try:
            left, held = (process.stdout.readline().strip() for process in (killed, living))
            killed.kill()
            killed.wait()
            assert {left, held} <= set(names(tmp_path))
            sweep_drafts(tmp_path)
            assert names(tmp_path) == [held]
        finally:
            killed.kill()
            living.kill()
