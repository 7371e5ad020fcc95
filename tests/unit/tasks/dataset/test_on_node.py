"""A version of the dataset in a storage, here a folder, and from there in a node's cache."""

import hashlib
import json
import os
import re
import shutil
import signal
import string
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.digits import DigitsSource
from gan.data.store.shards import read_split
from gan.errors import DatasetError, GanflowError, InputError, ResourcesError, ServiceError
from tasks.dataset import on_node
from tasks.dataset.in_storage import LIST, md5_of, read_list, written_list
from tasks.dataset.on_node import node_version

SHARD = "train-00000-of-00001.parquet"
HOST = "far (10.0.0.2)"
DIGEST = "0" * 32


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    top = tmp_path_factory.mktemp("dataset")
    build_dataset(
        DigitsSource(), DataConfig(resolution=8), top / "data", work=top / "work", quarantine=top / "rejects.jsonl"
    )
    return top / "data"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFLOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tasks.runtime.patience.time.sleep", lambda seconds: None)
    return tmp_path / "cache"


@pytest.fixture
def version(data_dir, tmp_path):
    """The folder of a version in a storage."""
    content = written_list({path.name: md5_of(path.read_bytes()) for path in data_dir.iterdir()})
    folder = shutil.copytree(data_dir, tmp_path / "storage" / "datasets" / md5_of(content))
    (folder / LIST).write_bytes(content)
    return folder


def load(version, split="train"):
    return node_version(str(version.parent.parent), version.name, split, host=HOST)


def rest(cache):
    """What lies in the cache beside locks."""
    return sorted(path.name for path in (cache / "resident").iterdir() if path.suffix not in {".lock", ".fetch"})


def test_a_node_has_the_very_images_and_keeps_nothing_else(version, data_dir, cache):
    for split in ("train", "test"):
        found = load(version, split)
        images = np.concatenate([images for images, _ in read_split(data_dir, split)])
        assert np.array_equal(found.images, images)
    assert rest(cache) == [version.name]


def test_a_version_of_the_cache_needs_no_storage(version, cache):
    first = load(version)
    shutil.rmtree(version.parent.parent)
    assert np.array_equal(load(version).images, first.images)


def test_what_is_not_there_says_where_it_was_looked_for(tmp_path, cache):
    sentence = f"on host {HOST}: dataset {DIGEST} in the storage {tmp_path} is not there: set GANFLOW_STORAGE"
    with pytest.raises(InputError, match=re.escape(sentence)):
        node_version(str(tmp_path), DIGEST, "train", host=HOST)


def cut(version):
    shard = version / SHARD
    shard.write_bytes(shard.read_bytes()[:-1])
    return f"{SHARD} was cut short or altered"


def swapped_bytes(version):
    shard = version / SHARD
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    return f"{SHARD} was cut short or altered"


def gone(version):
    (version / SHARD).unlink()
    return f"{SHARD} is gone"


def another_list(version):
    (version / LIST).write_bytes((version / LIST).read_bytes() + b" ")
    return "its list of files was cut short or altered"


def a_description_of_terabytes(version):
    (version / "dataset.json").write_text("{}")
    return "dataset.json was cut short or altered"


@pytest.mark.parametrize("damage", [cut, swapped_bytes, gone, another_list, a_description_of_terabytes])
def test_what_is_not_as_it_was_put_there_is_refused(version, cache, damage):
    why = damage(version)
    with pytest.raises(DatasetError) as caught:
        load(version)
    assert str(caught.value) == (
        f"on host far (10.0.0.2): dataset {version.name} in the storage {version.parent.parent} is not as it was put "
        f"there ({why}): remove datasets/{version.name} from the storage and train again, which puts it there anew"
    )
    assert rest(cache) == []


def as_dvc(files):
    return json.dumps([{"md5": files[name], "relpath": name} for name in sorted(files)], sort_keys=True).encode()


NAMES = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="./\\" + string.ascii_lowercase, max_size=20),
    st.sampled_from(
        [
            *("../x", "/etc/passwd", "a/../../x", "./dataset.json", "..", ".", "", LIST, f"{SHARD}/x", f"{SHARD}\n"),
            *(
                f"{SHARD}\x00",
                f"../{SHARD}",
                f"/{SHARD}",
                SHARD,
                "croissant.json",
                "croissant.json5",
                "train-٠٠٠٠٠-of-٠٠٠٠١.parquet",
            ),
        ]
    ),
)


@given(name=NAMES)
def test_a_list_names_nothing_but_files_of_a_dataset(name):
    content = as_dvc({"dataset.json": DIGEST, name: DIGEST})
    allowed = {"dataset.json", "croissant.json"} | {f"{split}-00000-of-00001.parquet" for split in ("train", "test")}
    if name in allowed:
        assert set(read_list(content, md5_of(content))) == {"dataset.json", name}
    else:
        with pytest.raises(ValueError, match="names other files than a dataset has"):
            read_list(content, md5_of(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"3",
        b"[" * 100_000,
        b"\xff",
        b'[{"relpath": "dataset.json"}]',
        b'[{"md5": 3, "relpath": "dataset.json"}]',
        b'[{"md5": "x", "relpath": "dataset.json"}]',
        b'[{"md5": "%s", "relpath": ["dataset.json"]}]' % DIGEST.encode(),
        b'[{"md5": "%s", "relpath": "dataset.json", "size": 1}]' % DIGEST.encode(),
        b'[{"md5": "%s", "relpath": "%s"}]' % (DIGEST.encode(), SHARD.encode()),
        as_dvc({"dataset.json": DIGEST}).replace(b"]", b",") + as_dvc({"dataset.json": "1" * 32})[1:],
    ],
)
def test_a_list_that_dvc_would_not_write_of_a_dataset_is_refused(content):
    with pytest.raises(ValueError, match="its list"):
        read_list(content, md5_of(content))


def test_a_list_is_read_as_it_was_written():
    files = {"dataset.json": DIGEST, SHARD: "1" * 32}
    assert read_list(written_list(files), hashlib.md5(as_dvc(files)).hexdigest()) == files


def test_a_full_disk_is_told_before_anything_is_fetched(version, cache, monkeypatch):
    monkeypatch.setattr(
        "gan.data.files.unpack.shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(2**40, 0, 2**28 + 1000)
    )
    monkeypatch.setattr(on_node, "_fetch_file", lambda *arguments: pytest.fail("fetched"))
    with pytest.raises(ResourcesError, match=r"on host far \(10.0.0.2\): the disk of .*resident has 256 MiB left"):
        load(version)
    assert rest(cache) == []


def test_a_description_is_held_against_the_disk_before_the_shards_come(version, cache, monkeypatch):
    size = sum(path.stat().st_size for path in version.iterdir())
    monkeypatch.setattr(
        "gan.data.files.unpack.shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(2**40, 0, 2**28 + size)
    )
    fetched = []
    whole = on_node._fetch_file
    monkeypatch.setattr(on_node, "_fetch_file", lambda *given: (fetched.append(given[1]), whole(*given)))
    with pytest.raises(ResourcesError, match="too little"):
        load(version)
    assert fetched == ["dataset.json"]


def test_a_cache_that_cannot_be_used_names_the_host(version, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANFLOW_CACHE", str(tmp_path / "file"))
    with pytest.raises(GanflowError, match=r"on host far \(10.0.0.2\): the cache .*: set GANFLOW_CACHE on that node"):
        load(version)


def test_a_storage_that_is_away_is_asked_again_and_then_told(version, cache, monkeypatch):
    asked, warned = [], []

    def away(self):
        asked.append(1)
        raise ServiceError("the storage does not answer")

    monkeypatch.setattr(on_node.StoredVersion, "sizes", away)
    with pytest.raises(ServiceError, match=r"^on host far \(10.0.0.2\): the storage does not answer$"):
        node_version(str(version.parent.parent), version.name, "train", host=HOST, on_warning=warned.append)
    assert len(asked) == len(warned) + 1 > 2


PROGRAM = """
import os, sys, time
from pathlib import Path
from gan.data.store import resident
from tasks.dataset import on_node

storage, md5, folder, kill = sys.argv[1:]
decode, fetch = resident.read_split, on_node._fetch_file

def counted(data_dir, split):
    Path(folder, f"decoded-{split}-{os.getpid()}").touch()
    return decode(data_dir, split)

def fetched(stored, name, *others):
    fetch(stored, name, *others)
    if kill == "fetching" and name.startswith("train"):
        os.kill(os.getpid(), 9)

def killed(*arguments):
    os.kill(os.getpid(), 9)

resident.read_split, on_node._fetch_file = counted, fetched
if kill == "decoding":
    resident.write_version, whole = (lambda cache, md5, splits: whole(
        cache, md5, {"train": splits["train"], "test": type(splits["test"])(splits["test"].shape, map(killed, [0]))}
    )), resident.write_version
print(len(on_node.node_version(storage, md5, "train", host="here")))
"""


def start(version, folder, kill=""):
    command = [sys.executable, "-c", PROGRAM, str(version.parent.parent), version.name, str(folder), kill]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def test_of_two_processes_at_once_one_decodes(version, cache, tmp_path, data_dir):
    seen = tmp_path / "seen"
    seen.mkdir()
    both = [start(version, seen), start(version, seen)]
    said = [process.communicate(timeout=120) for process in both]
    count = sum(len(labels) for _, labels in read_split(data_dir, "train"))
    assert [out for out, _ in said] == [f"{count}\n"] * 2, said
    assert sorted(path.name.split("-")[1] for path in seen.iterdir()) == ["test", "train"], "decoded once"
    assert rest(cache) == [version.name]


@pytest.mark.parametrize("when", ["fetching", "decoding"])
def test_what_a_kill_left_is_removed_by_the_next(version, cache, tmp_path, when):
    process = start(version, tmp_path, when)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    left = {path.name for path in (cache / "resident" / ".scratch").iterdir()}
    assert any(Path(name).suffix == "" for name in left), "a folder"
    load(version)
    assert rest(cache) == [version.name]


def test_what_a_kill_left_of_another_version_is_removed_too(version, cache):
    (cache / "resident" / f".{DIGEST}.partial").mkdir(parents=True)
    load(version)
    assert rest(cache) == [version.name]
