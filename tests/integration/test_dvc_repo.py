"""DVC for real: versions, restoring, kills at any moment, remotes that fail, releases, git."""

import hashlib
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gan.errors import DatasetError, ServiceError
from tasks.dataset.repository import STAGING, current_md5, ensure_data, recover, track_release, version_dataset
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
OLD = {"train-00000-of-00001.parquet": "old train", "dataset.json": "old"}
NEW = {"train-00000-of-00001.parquet": "new train", "test-00000-of-00001.parquet": "new test", "dataset.json": "new"}


def settings_of(home: Path) -> Settings:
    home.mkdir(exist_ok=True)
    return Settings(ganflow_home=home)


def staged(settings: Settings, files: dict[str, str]) -> Path:
    folder = settings.state_dir / "new-dataset"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


def dvc(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=home, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def settings(tmp_path):
    return settings_of(tmp_path / "home")


@pytest.fixture
def with_old(settings):
    version_dataset(settings, staged(settings, OLD))
    return settings


def test_a_first_version_is_tracked_pushed_and_clean(settings, capfd):
    assert current_md5(settings) is None
    version = version_dataset(settings, staged(settings, OLD))
    assert (version.changed, version.pushed, version.push_error) == (True, True, None)
    assert version.md5 == current_md5(settings)
    assert "." not in version.md5
    assert read(settings.data_dir) == OLD
    assert capfd.readouterr() == ("", "")
    assert "up to date" in dvc(settings.home, "status")
    assert "in sync" in dvc(settings.home, "status", "--cloud")
    assert sorted(path.name for path in settings.home.iterdir()) == [
        ".dvc",
        ".dvcignore",
        ".ganflow",
        "data",
        "data.dvc",
    ]


def test_equal_files_have_equal_versions_in_any_folder(tmp_path):
    homes = [settings_of(tmp_path / name) for name in ("one", "two")]
    versions = {version_dataset(settings, staged(settings, NEW)).md5 for settings in homes}
    assert len(versions) == 1
    assert len({(settings.home / "data.dvc").read_bytes() for settings in homes}) == 1


def test_dvc_itself_writes_the_same_data_dvc(with_old):
    before = (with_old.home / "data.dvc").read_bytes()
    (with_old.home / "data.dvc").unlink()
    dvc(with_old.home, "add", "data")
    assert (with_old.home / "data.dvc").read_bytes() == before


def test_an_unchanged_dataset_changes_nothing(with_old):
    pointer = with_old.home / "data.dvc"
    before = pointer.read_bytes(), pointer.stat().st_mtime_ns, pointer.stat().st_ino
    (with_old.data_dir / "dataset.json").write_text("edited by hand")
    version = version_dataset(with_old, staged(with_old, OLD))
    assert not version.changed
    assert version.pushed
    assert (pointer.read_bytes(), pointer.stat().st_mtime_ns, pointer.stat().st_ino) == before
    assert read(with_old.data_dir) == OLD


def test_a_new_version_replaces_the_old_one_which_can_be_restored(with_old):
    pointer = with_old.home / "data.dvc"
    before = pointer.read_bytes()
    assert version_dataset(with_old, staged(with_old, NEW)).changed
    assert read(with_old.data_dir) == NEW
    pointer.write_bytes(before)
    ensure_data(with_old)
    assert read(with_old.data_dir) == OLD


def test_the_folder_may_be_moved_with_its_remote(with_old, tmp_path):
    with_old.home.rename(tmp_path / "moved")
    moved = settings_of(tmp_path / "moved")
    for path in sorted((moved.home / ".dvc" / "cache").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (moved.data_dir / "dataset.json").unlink()
    assert ensure_data(moved) == current_md5(moved)
    assert read(moved.data_dir) == OLD


def test_no_dataset_and_a_lost_one_are_explained_and_what_is_there_stays(with_old, tmp_path):
    with pytest.raises(DatasetError, match="run `ganflow ingest digits`"):
        ensure_data(settings_of(tmp_path / "other"))
    pointer = with_old.home / "data.dvc"
    pointer.write_text(pointer.read_text().replace(current_md5(with_old), "0" * 32))
    with pytest.raises(DatasetError, match="neither in the cache"):
        ensure_data(with_old)
    assert read(with_old.data_dir) == OLD


@pytest.mark.parametrize("text", ["", "outs: []", "outs:\n- md5: ../../etc\n", "a: [", "\x00"])
def test_a_malformed_data_dvc_is_explained(settings, text):
    (settings.home / "data.dvc").write_text(text)
    with pytest.raises(DatasetError, match="malformed"):
        current_md5(settings)


def test_files_of_someone_else_in_data_are_not_touched(settings):
    settings.data_dir.mkdir()
    (settings.data_dir / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="move the folder away"):
        version_dataset(settings, staged(settings, NEW))
    assert read(settings.data_dir) == {"thesis.txt": "years of work"}


def test_a_remote_that_fails_keeps_the_dataset_and_says_how_to_push(with_old, tmp_path):
    (tmp_path / "file").write_text("no folder can be made below this")
    dvc(with_old.home, "remote", "modify", "local", "url", str(tmp_path / "file" / "remote"))
    version = version_dataset(with_old, staged(with_old, NEW))
    assert version.changed
    assert not version.pushed
    assert "dvc push" in version.push_error
    assert "\n" not in version.push_error
    assert read(with_old.data_dir) == NEW
    assert version.md5 == current_md5(with_old)


def test_a_version_is_worth_another_try_if_the_remote_is_away_and_not_if_it_has_nothing(with_old, tmp_path):
    md5 = current_md5(with_old)
    shutil.rmtree(with_old.home / ".dvc" / "cache")
    (with_old.data_dir / "dataset.json").unlink()
    nowhere = free_address()
    dvc(with_old.home, "remote", "modify", "local", "url", nowhere)
    with pytest.raises(ServiceError, match=rf"dataset {md5} is not in the cache of .* cannot be reached \(Cannot conn"):
        ensure_data(with_old)
    (tmp_path / "empty").mkdir()
    dvc(with_old.home, "remote", "modify", "local", "url", str(tmp_path / "empty"))
    with pytest.raises(DatasetError, match=r"nor to be had from the remote \(the remote does not have it\)"):
        ensure_data(with_old)


def test_a_repository_that_another_program_uses_is_worth_another_try(with_old):
    from dvc.repo import Repo

    with Repo(str(with_old.home)) as repo, repo.lock, pytest.raises(ServiceError, match="DVC does not answer"):
        ensure_data(with_old)


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/x"


def test_no_remote_is_no_error(with_old):
    dvc(with_old.home, "remote", "remove", "local")
    version = version_dataset(with_old, staged(with_old, NEW))
    assert (version.pushed, version.push_error) == (False, None)


def test_a_repository_above_is_used_as_it_is(with_old):
    config = (with_old.home / ".dvc" / "config").read_bytes()
    inner = settings_of(with_old.home / "inner")
    version_dataset(inner, staged(inner, NEW))
    assert not (inner.home / ".dvc").exists()
    assert (with_old.home / ".dvc" / "config").read_bytes() == config
    assert ensure_data(inner) == current_md5(inner)


def test_releases_are_tracked_beside_each_other(with_old):
    pointers = {}
    for name in ("a", "b"):
        folder = with_old.synthetic_dir / name
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(name)
        (with_old.synthetic_dir / f"{name}.dvc").touch()  # as a kill while DVC writes it leaves it
        pointers[name], _ = track_release(with_old, folder)
    assert pointers["a"] != pointers["b"]
    assert "up to date" in dvc(with_old.home, "status")
    assert "in sync" in dvc(with_old.home, "status", "--cloud")


@pytest.mark.parametrize("ignored", [True, False])
def test_git_sees_the_pointers_and_not_the_data(tmp_path, ignored):
    settings = settings_of(tmp_path / "clone")
    subprocess.run(["git", "init", "--quiet", settings.home], check=True)
    dvc(settings.home, "init", "--quiet")
    rules = "/data\n/synthetic/*\n!/synthetic/*.dvc\n/.ganflow/\n" if ignored else "/.ganflow/\n"
    (settings.home / ".gitignore").write_text(rules)
    version_dataset(settings, staged(settings, NEW))
    (settings.synthetic_dir / "a").mkdir(parents=True)
    (settings.synthetic_dir / "a" / "manifest.json").write_text("a")
    track_release(settings, settings.synthetic_dir / "a")
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    status = subprocess.run(command, cwd=settings.home, check=True, capture_output=True, text=True).stdout
    seen = {line[3:] for line in status.splitlines()}
    assert {"data.dvc", "synthetic/a.dvc"} <= seen
    assert not any(name.startswith(("data/", "synthetic/a/")) for name in seen)
    assert (rules == (settings.home / ".gitignore").read_text()) == ignored


# Runs `version_dataset` in one forked child per kill point: the child kills itself right before its n-th change of a
# file below its home. Prints the homes of those that died; ends with the first that finishes.
KILLER = """
import os, shutil, signal, sys
from pathlib import Path
import dvc.repo, dvc.scm
from tasks.dataset.repository import version_dataset
from tasks.runtime.settings import Settings

template, out, first, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link"}

def below(home, argument):
    return isinstance(argument, (str, bytes, os.PathLike)) and os.fsdecode(argument).startswith(str(home))

def die_at(home, last):
    left = last
    def hook(event, arguments):
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in CHANGES or writes) and any(below(home, argument) for argument in arguments):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for last in range(first, 10_000, step):
    home = out / f"{last:04d}"
    shutil.copytree(template, home)
    pid = os.fork()
    if pid == 0:
        die_at(home, last)
        settings = Settings(ganflow_home=home)
        version_dataset(settings, settings.state_dir / "new-dataset")
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        print(home)
    else:
        sys.exit(os.WEXITSTATUS(status))
"""


@pytest.mark.parametrize("had_old", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_version(settings, tmp_path, had_old):
    old_md5 = version_dataset(settings, staged(settings, OLD)).md5 if had_old else None
    staged(settings, NEW)
    (tmp_path / "killed").mkdir()
    arguments = [settings.home, tmp_path / "killed", KILL_FIRST, KILL_STEP]
    command = [sys.executable, "-c", KILLER, *map(str, arguments)]
    homes = subprocess.run(command, check=True, capture_output=True, text=True, timeout=250).stdout.split()
    assert len(homes) > 5
    seen = set()
    for home in homes:
        killed = Settings(ganflow_home=Path(home))
        recover(killed)
        md5 = current_md5(killed)
        if md5 is None:
            assert not had_old
            assert read(killed.data_dir) == {}
        else:
            # Already before anything is fetched: the cache may be elsewhere.
            assert read(killed.data_dir) == (OLD if md5 == old_md5 else NEW)
            assert ensure_data(killed) == md5
        assert not (killed.home / STAGING).exists()
        seen.add(md5)
        again = killed.state_dir / "new-dataset"
        version = version_dataset(killed, again if again.exists() else staged(killed, NEW))
        assert read(killed.data_dir) == NEW
        assert version.changed == (md5 in (old_md5, None))
    assert {old_md5, version.md5} == seen


KILL_FIRST, KILL_STEP = 0, 6


def test_a_kill_while_recovering_is_recovered_from(with_old):
    """The swap's last state before the commit, then each step of undoing it, by hand."""
    staging, data, pointer = with_old.home / STAGING, with_old.data_dir, with_old.home / "data.dvc"
    before = hashlib.sha256(pointer.read_bytes()).digest()
    for steps in range(3):
        staging.mkdir()
        (staging / "data.dvc").write_text("the new one")
        data.rename(staging / "old")
        data.mkdir()
        (data / "dataset.json").write_text("new")
        if steps > 0:
            data.rename(staging / "data")
        if steps > 1:
            (staging / "old").rename(data)
        assert recover(with_old)
        assert read(data) == OLD
        assert not staging.exists()
        assert hashlib.sha256(pointer.read_bytes()).digest() == before
    assert not recover(with_old)
