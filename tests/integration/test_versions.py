"""The history of the dataset on a real MLflow (SQLite) and a real DVC repository: list, compare, restore, kill."""

import itertools
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from copied_home import copied

from gan.data.store.shards import write_shards
from gan.errors import DatasetError
from tasks.dataset.catalogue import checkout, diff_versions, find_version, versions
from tasks.dataset.repository import STAGING, current_md5, ensure_data, recover, version_dataset
from tasks.runtime.settings import Settings
from tasks.tracking import ingest_runs as module
from tasks.tracking.client import DATASETS, run

pytestmark = pytest.mark.integration
CLASSES = ("zero", "one", "two")
SMALL = {"train": [(0, 0), (1, 1), (2, 2)], "test": [(3, 0), (4, 1)]}
LARGER = {"train": [(0, 0), (1, 1), (2, 2), (5, 0)], "test": [(3, 0), (4, 1)]}


def settings_of(home: Path) -> Settings:
    home.mkdir(exist_ok=True)
    return Settings(ganflow_home=home, mlflow_tracking_uri=None)


def build(settings, rows, classes=CLASSES, **info):
    """Make a version of (picture, label) per split, as ingesting would; equal pictures have equal pixels."""
    folder = settings.state_dir / "staged"
    folder.mkdir(parents=True)
    for split, some in rows.items():
        pictures = np.array([picture for picture, _ in some], dtype=np.uint16)
        images = np.repeat(pictures.view(np.uint8).reshape(-1, 1, 2, 1), 8, axis=1)
        write_shards(folder, split, images, [label for _, label in some], class_names=classes)
    described = {"class_names": classes, "num_train": len(rows["train"]), "num_test": len(rows["test"]), **info}
    (folder / "dataset.json").write_text(json.dumps(described))
    return version_dataset(settings, folder).md5


def record(settings, md5, source="mine"):
    with run(settings, DATASETS, md5[:12], {"dataset_md5": md5, "source": source}) as log:
        described = json.loads((settings.data_dir / "dataset.json").read_text())
        log.metrics({"num_train": described["num_train"], "num_test": described["num_test"], "rejects": 0}, step=0)
        log.file(settings.home / "data.dvc")
    return log.run_id


def ingest(settings, rows, classes=CLASSES, **info):
    md5 = build(settings, rows, classes, **info)
    record(settings, md5)
    return md5


def state(settings):
    files = {path.name: path.read_bytes() for path in settings.data_dir.iterdir()}
    return files, (settings.home / "data.dvc").read_bytes()


def empty_cache(settings):
    shutil.rmtree(settings.home / ".dvc" / "cache")


def object_of(settings, md5, name):
    """The file in the cache that holds this file of a version."""
    manifest = next((settings.home / ".dvc" / "cache").rglob(f"{md5[2:]}.dir"))
    (value,) = [entry["md5"] for entry in json.loads(manifest.read_text()) if entry["relpath"] == name]
    return manifest.parent.parent / value[:2] / value[2:]


@pytest.fixture
def settings(tmp_path):
    return settings_of(tmp_path / "home")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with two versions, the second one current, and the two md5s."""
    home = tmp_path_factory.mktemp("made") / "home"
    settings = settings_of(home)
    return home, (ingest(settings, SMALL), ingest(settings, LARGER))


@pytest.fixture
def two(settings, made):
    """Such a home at the place of `settings`; the two md5s."""
    home, md5s = made
    settings.home.rmdir()
    copied(home, settings.home)
    return md5s


def test_a_home_without_versions(settings):
    assert versions(settings) == []
    with pytest.raises(DatasetError, match="run `ganflow ingest digits`"):
        find_version(settings, "current")
    with pytest.raises(DatasetError, match="see `ganflow dataset log`"):
        checkout(settings, "abcd")
    assert not (settings.home / ".dvc").exists()


def test_each_version_is_listed_once_the_newest_first(settings, two, monkeypatch):
    old, new = two
    with pytest.raises(RuntimeError), run(settings, DATASETS, "failed", {"dataset_md5": "f" * 32}):
        raise RuntimeError
    with run(settings, DATASETS, "of someone else", {}):
        pass
    checkout(settings, old)
    again = record(settings, old, source="other")  # ingested again, unchanged
    monkeypatch.setattr(module, "_PAGE", 2)
    found = versions(settings)
    assert [(one.md5, one.current, one.num_train, one.num_test, one.source) for one in found] == [
        (new, False, 4, 2, "mine"),
        (old, True, 3, 2, "other"),
    ]
    assert found[1].run_id == again
    assert [one.first_made for one in found] == sorted((one.first_made for one in found), reverse=True)
    assert all(len(one.first_made) == len("2026-01-02T03:04Z") for one in found)


def test_a_clone_lists_the_version_that_git_brought(two, settings, tmp_path):
    clone = settings_of(tmp_path / "clone")
    shutil.copytree(settings.home / ".dvc", clone.home / ".dvc")
    shutil.copy(settings.home / "data.dvc", clone.home)
    (only,) = versions(clone)
    assert (only.md5, only.current, only.first_made, only.num_train) == (two[1], True, None, None)
    assert diff_versions(clone, "current", two[1][:4]).unchanged == 6
    assert not checkout(clone, two[1]).changed
    assert state(clone) == state(settings)


def test_versions_are_found_by_unique_beginnings(settings, two):
    for md5 in ("abcd1" + "0" * 27, "abcd2" + "0" * 27):
        with run(settings, DATASETS, md5, {"dataset_md5": md5}):
            pass
    assert find_version(settings, "abcd1").md5 == "abcd1" + "0" * 27
    assert find_version(settings, two[0].upper()).md5 == two[0]
    assert find_version(settings, f"{two[0]}.dir").md5 == two[0]
    assert find_version(settings, "current").md5 == two[1]
    for name, sentence in {
        "abcd": "2 dataset versions begin with «abcd»",
        "abc": "«abc» is too short",
        "": "«» is too short",
        "abcd3": "no dataset version is called «abcd3»",
        f"{two[0]}0": "no dataset version is called",
        "Current": "no dataset version is called",
    }.items():
        with pytest.raises(DatasetError, match=f"{sentence}.*ganflow dataset log"):
            find_version(settings, name)


def test_what_changed_is_counted_by_class_and_split(settings):
    old = ingest(
        settings,
        {
            # 6 has two copies of which one goes; 7 two of which one is relabelled; 8 changes both
            "train": [(0, 0), (1, 1), (2, 2), (6, 0), (6, 0), (7, 1), (7, 1), (8, 0), (10, 2)],
            "test": [(3, 0), (4, 1), (9, 2)],
        },
        resolution=8,
        mean=[0.1],
    )
    new = ingest(
        settings,
        {
            "train": [(0, 0), (1, 2), (6, 0), (7, 1), (7, 0), (11, 1), (11, 1), (9, 2)],
            "test": [(3, 0), (4, 1), (2, 2), (8, 1), (12, 0)],
        },
        resolution=16,
        filter="area",
        class_map={"cat": "zero"},
        mean=[0.2],
    )
    before = state(settings)
    found = diff_versions(settings, old, new)
    assert (found.before, found.after) == (old, new)
    assert found.settings == {"resolution": (8, 16), "filter": (None, "area"), "class_map": (None, {"cat": "zero"})}
    assert found.added == {"train": {"one": 2}, "test": {"zero": 1}}
    assert found.removed == {"train": {"two": 1, "zero": 1}, "test": {}}
    both = (1, "train", "test", "zero", "one")
    relabelled, moved = ([tuple(one.model_dump().values()) for one in some] for some in (found.relabelled, found.moved))
    assert set(relabelled) == {both, (1, "train", "train", "one", "two"), (1, "train", "train", "one", "zero")}
    assert set(moved) == {both, (1, "test", "train", "two", "two"), (1, "train", "test", "two", "two")}
    assert len(relabelled) == len(moved) == 3
    assert found.unchanged == 5
    back = diff_versions(settings, "current", old[:8])
    assert (back.added, back.removed) == (found.removed, found.added)
    assert diff_versions(settings, new, "current").unchanged == 13
    assert state(settings) == before
    assert not (settings.home / STAGING).exists()


def test_classes_are_compared_by_name_and_no_label_is_unlabelled(settings):
    named = ingest(settings, SMALL, resolution=8)
    renumbered = {split: [(picture, 2 - label) for picture, label in rows] for split, rows in SMALL.items()}
    ingest(settings, renumbered, CLASSES[::-1], resolution=8)
    same = diff_versions(settings, named, "current")
    assert (same.unchanged, same.settings, same.relabelled) == (5, {}, [])
    ingest(settings, {split: [(picture, -1) for picture, _ in rows] for split, rows in SMALL.items()}, ())
    lost = diff_versions(settings, named, "current")
    assert {(one.class_before, one.class_after) for one in lost.relabelled} == {
        (name, "unlabelled") for name in CLASSES
    }
    assert sum(one.count for one in lost.relabelled) == 5


def test_counts_agree_with_counting_by_hand_on_many_images(settings):
    rng = np.random.default_rng(0)
    drawn = [
        {
            split: list(zip(rng.integers(0, 60, size).tolist(), rng.integers(0, 3, size).tolist(), strict=True))
            for split, size in sizes.items()
        }
        for sizes in ({"train": 200, "test": 90}, {"train": 150, "test": 120})
    ]
    old, new = (Counter((split, *row) for split in rows for row in rows[split]) for rows in drawn)
    found = diff_versions(settings, ingest(settings, drawn[0]), ingest(settings, drawn[1]))
    assert found.unchanged == (old & new).total()
    # What is left of one picture on both sides was paired, so pictures that lost and gained are in neither table.
    lost, gained = (Counter(picture for _, picture, _ in rest.elements()) for rest in (old - new, new - old))
    assert sum(sum(counts.values()) for counts in found.removed.values()) == (lost - gained).total()
    assert sum(sum(counts.values()) for counts in found.added.values()) == (gained - lost).total()
    pairs = {tuple(one.model_dump().items()): one.count for one in (*found.relabelled, *found.moved)}
    assert sum(pairs.values()) == (lost & gained).total()
    for place in itertools.product(("train", "test"), CLASSES):
        split, name = place
        change = found.added[split].get(name, 0) - found.removed[split].get(name, 0)
        for pair, count in pairs.items():
            one = dict(pair)
            change += count * ((one["split_after"], one["class_after"]) == place)
            change -= count * ((one["split_before"], one["class_before"]) == place)
        before, after = (
            sum(count for (there, _, label), count in rows.items() if (there, CLASSES[label]) == place)
            for rows in (old, new)
        )
        assert change == after - before


def test_checking_out_back_and_forth_gives_the_same_bytes(settings, two, capfd):
    old, new = two
    states = {new: state(settings)}
    assert checkout(settings, old[:6]).model_dump() == {"md5": old, "changed": True, "num_train": 3, "num_test": 2}
    states[old] = state(settings)
    for md5 in (new, old, new):
        (settings.data_dir / "dataset.json").write_text("edited by hand")
        (settings.data_dir / "notes.txt").write_text("not in any version")
        assert checkout(settings, md5).changed
        assert state(settings) == states[md5]
    assert states[old] != states[new]
    assert ensure_data(settings) == new
    assert capfd.readouterr() == ("", "")
    assert not (settings.home / STAGING).exists()
    assert len(versions(settings)) == 2, "only ingesting makes history"


def test_checking_out_the_current_version_repairs_data(settings, two):
    before = state(settings)
    pointer = (settings.home / "data.dvc").stat().st_mtime_ns
    next(settings.data_dir.glob("train-*")).unlink()
    done = checkout(settings, "current")
    assert (done.md5, done.changed, done.num_train) == (two[1], False, 4)
    assert state(settings) == before
    assert (settings.home / "data.dvc").stat().st_mtime_ns == pointer


def test_what_the_cache_lacks_comes_from_the_remote(settings, two):
    old, new = two
    after = state(settings)
    checkout(settings, old)
    before = state(settings)
    empty_cache(settings)
    assert diff_versions(settings, old, new).added == {"train": {"zero": 1}, "test": {}}
    empty_cache(settings)
    checkout(settings, new)
    assert state(settings) == after
    empty_cache(settings)
    checkout(settings, old)
    assert state(settings) == before


def test_a_version_that_is_nowhere_is_explained_and_nothing_changes(settings, two):
    before = state(settings)
    empty_cache(settings)
    shutil.rmtree(settings.state_dir / "remote")
    for attempt in (lambda: checkout(settings, two[0]), lambda: diff_versions(settings, "current", two[0])):
        with pytest.raises(
            DatasetError, match=f"dataset {two[0]} is neither in the cache|{two[1]} is neither"
        ) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert state(settings) == before
        assert not (settings.home / STAGING).exists()


@pytest.mark.parametrize("name", ["train-00000-of-00001.parquet", "dataset.json"])
@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"?" * len(data), lambda data: b""])
def test_a_broken_object_is_explained_and_never_becomes_current(settings, two, name, damage):
    before = state(settings)
    broken = object_of(settings, two[0], name)
    data = broken.read_bytes()
    broken.chmod(0o644)
    broken.write_bytes(damage(data))
    broken.chmod(0o444)
    for attempt in (lambda: checkout(settings, two[0]), lambda: diff_versions(settings, two[0], "current")):
        with pytest.raises(DatasetError, match=f"{name} of dataset {two[0]} is broken in the cache") as caught:
            attempt()
        assert f"remove {broken}" in str(caught.value)
    assert state(settings) == before
    broken.unlink()
    assert checkout(settings, two[0]).changed


def test_a_changed_pixel_in_the_cache_is_noticed(settings, two):
    before = state(settings)
    broken = object_of(settings, two[0], "test-00000-of-00001.parquet")
    data = bytearray(broken.read_bytes())
    data[data.index(b"IDAT") + 8] ^= 1
    broken.chmod(0o644)
    broken.write_bytes(data)
    broken.chmod(0o444)
    with pytest.raises(DatasetError, match=r"test-.* of dataset .*its md5 is another"):
        checkout(settings, two[0])
    assert state(settings) == before


@pytest.mark.parametrize("change", [("data\n", "../elsewhere\n"), ("md5: ", "md5: 0"), ("outs", "wdir: ..\nouts")])
def test_a_pointer_that_names_something_else_is_refused(settings, two, change, monkeypatch):
    before = state(settings)
    (artifact,) = (settings.home / "mlartifacts").rglob(f"{find_version(settings, two[0]).run_id}/artifacts/data.dvc")
    artifact.write_text(artifact.read_text().replace(*change))
    with pytest.raises(DatasetError, match=f"has no data.dvc of dataset {two[0]}"):
        checkout(settings, two[0])
    artifact.unlink()
    with pytest.raises(DatasetError, match=f"has no data.dvc of dataset {two[0]}"):
        diff_versions(settings, *two)
    assert state(settings) == before


def test_data_of_someone_else_is_not_overwritten(settings, two):
    (settings.home / "data.dvc").unlink()
    shutil.rmtree(settings.data_dir)
    settings.data_dir.mkdir()
    (settings.data_dir / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="move the folder away"):
        checkout(settings, two[0])
    assert [path.name for path in settings.data_dir.iterdir()] == ["thesis.txt"]
    shutil.rmtree(settings.data_dir)
    assert checkout(settings, two[0]).changed
    assert current_md5(settings) == two[0]


def test_git_sees_data_dvc_alone(settings):
    subprocess.run(["git", "init", "--quiet", settings.home], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=settings.home, check=True, capture_output=True)
    (settings.home / ".gitignore").write_text("/data\n/.ganflow/\n/mlflow.db\n/mlartifacts/\n")
    old = ingest(settings, SMALL)
    git = ["git", "-C", settings.home, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "add", "--all"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "old"], check=True, capture_output=True)

    def status():
        return subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True, text=True).stdout

    ingest(settings, LARGER)
    assert status() == " M data.dvc\n"
    assert checkout(settings, old).changed
    assert status() == ""


# As in test_dvc_repo.py: one forked child per kill point, which kills itself right before its n-th change of a file.
KILLER = """
import os, shutil, signal, sys
from pathlib import Path
import dvc.repo, dvc.scm
from tasks.dataset.repository import checkout_version
from tasks.runtime.settings import Settings

template, out, pointer = map(Path, sys.argv[1:4])
md5, step = sys.argv[4], int(sys.argv[5])
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link"}

def below(home, argument):
    # A relative path is one of shutil.rmtree's.
    if not isinstance(argument, (str, bytes, os.PathLike)):
        return False
    return not os.path.isabs(os.fsdecode(argument)) or os.fsdecode(argument).startswith(str(home))

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

for last in range(0, 10_000, step):
    home = out / f"{last:04d}"
    shutil.copytree(template, home)
    pid = os.fork()
    if pid == 0:
        die_at(home, last)
        checkout_version(Settings(ganflow_home=home), md5, pointer.read_text())
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        print(home)
    else:
        sys.exit(os.WEXITSTATUS(status))
"""
KILL_STEP = 3


@pytest.mark.parametrize("cached", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_version(settings, two, tmp_path, cached):
    states = {two[1]: state(settings)}
    checkout(settings, two[0])
    states[two[0]] = state(settings)
    checkout(settings, two[1])
    pointer = tmp_path / "pointer"
    pointer.write_bytes(states[two[0]][1])
    if not cached:
        empty_cache(settings)
    (tmp_path / "killed").mkdir()
    arguments = [settings.home, tmp_path / "killed", pointer, two[0], KILL_STEP]
    command = [sys.executable, "-c", KILLER, *map(str, arguments)]
    homes = subprocess.run(command, check=True, capture_output=True, text=True, timeout=250).stdout.split()
    assert len(homes) > 5
    seen = set()
    for home in homes:
        killed = settings_of(Path(home))
        recover(killed)
        assert not (killed.home / STAGING).exists()
        md5 = current_md5(killed)
        assert state(killed) == states[md5], "whole before anything is restored"
        assert ensure_data(killed) == md5
        assert checkout(killed, two[0]).changed == (md5 == two[1])
        assert state(killed) == states[two[0]]
        seen.add(md5)
    assert seen == set(two)


RUNNER = """
import typer
from flows.command.console import errors_as_sentences
from flows.command.datasets import app as dataset

app = typer.Typer()
app.command()(lambda: None)
app.add_typer(dataset)
with errors_as_sentences():
    app()
"""


def test_the_verbs_print_one_object_or_a_summary(settings, two, monkeypatch):
    monkeypatch.setenv("GANFLOW_HOME", str(settings.home))
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)

    def ganflow(*arguments):
        done = subprocess.run([sys.executable, "-c", RUNNER, "dataset", *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    status, out, _ = ganflow("log", "--json")
    assert (status, [version["md5"] for version in json.loads(out)["versions"]]) == (0, [two[1], two[0]])
    status, out, _ = ganflow("diff", two[0], "--json")
    assert (status, json.loads(out)["after"], json.loads(out)["unchanged"]) == (0, two[1], 5)
    status, out, err = ganflow("checkout", "0" * 5)
    assert (status, out, err) == (2, "", "ganflow: no dataset version is called «00000»: see `ganflow dataset log`\n")
    status, out, _ = ganflow("checkout", two[0][:4])
    assert (status, "ganflow retrain" in out, current_md5(settings)) == (0, True, two[0])
