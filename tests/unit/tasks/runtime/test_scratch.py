import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gan.errors import InputError
from tasks.runtime.scratch import local_scratch, remove_abandoned, scratch_folder
from tasks.runtime.settings import Settings

HOLDING = """
import sys, time
from tasks.runtime.scratch import scratch_folder
from tasks.runtime.settings import Settings
with scratch_folder(Settings(), "release") as folder:
    (folder / "half").touch()
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path))
    return Settings()


def there(settings):
    return sorted(path.name for path in (settings.state_dir / "scratch").iterdir())


def test_a_folder_is_gone_after_its_block_whatever_becomes_of_it(settings):
    def fail():
        with scratch_folder(settings, "release") as folder:
            (folder / "file").touch()
            assert folder.name.startswith("release-")
            raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        fail()
    assert there(settings) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not(settings):
    command = [sys.executable, "-c", HOLDING]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as killed,
        subprocess.Popen(command, stdout=subprocess.PIPE) as living,
    ):
        try:
            left, held = (process.stdout.readline().decode().strip() for process in (killed, living))
            killed.kill()
            killed.wait()
            assert f"scratch/{left.rpartition('/')[2]}" in left
            remove_abandoned(settings)
            assert there(settings) == [held.rpartition("/")[2], f"{held.rpartition('/')[2]}.lock"]
        finally:
            killed.kill()
            living.kill()
    with scratch_folder(settings, "compare") as folder:
        assert there(settings) == [folder.name, f"{folder.name}.lock"]


@pytest.mark.parametrize("make", ["local_scratch('training')", "scratch_beside(Settings().synthetic_dir, 'release')"])
def test_what_a_killed_process_left_elsewhere_is_removed_by_the_next(settings, monkeypatch, tmp_path, make):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    holding = HOLDING.replace("import scratch_folder", "import local_scratch, scratch_beside")
    holding = holding.replace('scratch_folder(Settings(), "release")', make)
    with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE, text=True) as killed:
        left = Path(killed.stdout.readline().strip())
        killed.kill()
    assert (left / "half").exists()
    assert left.is_relative_to(tmp_path)
    if "synthetic" in make:
        remove_abandoned(settings)
    else:
        with local_scratch("training") as folder:
            assert folder.parent == left.parent
    assert not left.exists()
    assert list(left.parent.iterdir()) == []


def test_a_temporary_folder_that_another_user_made_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"ganflow-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(InputError, match="set TMPDIR to a folder of yours"), local_scratch("training"):
        pytest.fail("it was used")


def test_drafts_of_files_are_removed(settings):
    settings.state_dir.mkdir()
    (settings.state_dir / ".ingest-owed.json.0123.partial").touch()
    remove_abandoned(settings)
    assert list(settings.state_dir.iterdir()) == []
