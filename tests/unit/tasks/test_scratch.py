import subprocess
import sys

import pytest

from tasks.scratch import remove_abandoned, scratch_folder
from tasks.settings import Settings

HOLDING = """
import sys, time
from tasks.scratch import scratch_folder
from tasks.settings import Settings
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
