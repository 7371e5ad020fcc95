"""What lies in a storage, on a disk."""

import json

from tasks.prune.stored import Storage
from tasks.runtime.process_name import ProcessName
from tasks.train.lease import FOLDER


def write(path, size=0, text=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size) if text is None else text.encode())


def lease(process):
    return json.dumps({"host": "h", "process": process.to_json(), "holds": True})


def test_runs_and_datasets_are_told_apart_with_bytes_and_leases(tmp_path):
    storage = Storage(str(tmp_path))
    here = ProcessName.here()
    write(tmp_path / "a/checkpoint_1/tensors.pt", 10)
    write(tmp_path / "a/checkpoint_1/hashes.json", 5)
    write(tmp_path / "b" / FOLDER / "1.json", text=lease(here))
    write(tmp_path / "c" / FOLDER / "1.json", text=lease(ProcessName(here.machine, here.pid, here.started - 1000)))
    write(tmp_path / "datasets/md5/files.json", 7)
    write(tmp_path / ".validate_storage_marker", 3)
    runs, datasets = storage.folders()
    assert {name: found.held for name, found in runs.items()} == {"a": False, "b": True, "c": False}
    assert runs["a"].bytes == 15
    assert runs["a"].newest == (tmp_path / "a/checkpoint_1/hashes.json").stat().st_mtime_ns // 10**6
    assert {name: found.bytes for name, found in datasets.items()} == {"md5": 7}
    assert storage.anybody_trains()


def test_removing_leaves_the_rest_and_may_be_done_again(tmp_path):
    storage = Storage(str(tmp_path))
    for path in ("a/x", "b/x", "datasets/m/files.json", "datasets/m/shard", "datasets/n/files.json"):
        write(tmp_path / path, 1)
    for _ in range(2):
        storage.remove("a")
        storage.remove_dataset("m")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "b/x",
        "datasets/n/files.json",
    ]
    assert not storage.anybody_trains()


def test_a_storage_that_is_not_there_is_empty(tmp_path):
    assert Storage(str(tmp_path / "none")).folders() == ({}, {})
