"""What a machine says of itself, from files that a test writes; and its text alone is enough for a node."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.doctor import probe
from tasks.doctor.probe import Probe, code_digest, free_memory
from tasks.runtime.settings import Settings


@pytest.fixture
def meminfo(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 4000 kB\nMemFree: 10 kB\nMemAvailable: 3000 kB\n")
    return path


@pytest.mark.parametrize(
    ("most", "used", "free"),
    [("max", "5", 3000 * 1024), ("1000000", "400000", 600000), ("99999999", "0", 3000 * 1024), ("5", "9", 0)],
)
def test_free_memory_is_the_machines_or_what_a_container_leaves(meminfo, tmp_path, most, used, free):
    (tmp_path / "memory.max").write_text(f"{most}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    assert free_memory(meminfo, tmp_path) == free


def test_memory_of_a_machine_that_does_not_say(tmp_path):
    assert free_memory(tmp_path / "none", tmp_path) is None


def test_facts_are_plain_and_its_disk_is_that_of_the_nearest_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFLOW_CACHE", str(tmp_path / "not" / "yet"))
    facts = Probe().facts()
    assert facts["torch"]
    assert facts["cores"] >= 1
    assert facts["bf16"] in (True, False)
    assert facts["disks"][str(tmp_path / "not" / "yet")] > 0
    assert not (tmp_path / "not").exists()
    monkeypatch.delenv("GANFLOW_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert (
        str(Settings(ganflow_cache=None, xdg_cache_home=tmp_path / "caches").node_cache_dir) in Probe().facts()["disks"]
    )


def test_a_driver_that_knows_gpus(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "NVIDIA H200, 580.95.05, 143771 MiB"\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert Probe().facts(str(tmp_path))["gpus"] == ["NVIDIA H200, 580.95.05, 143771 MiB"]


def test_storage_is_read_and_written_and_cleared(tmp_path):
    storage = str(tmp_path / "runs")
    assert Probe().use_storage(storage, "trial", {}, "driver", "by the driver") is None
    assert Probe().use_storage(storage, "trial", {"driver": "by the driver"}, "node", "by the node") is None
    assert Path(storage, "trial", "node").read_text() == "by the node"
    Probe().drop_storage(storage, "trial")
    assert list(Path(storage).iterdir()) == []


def test_the_folder_comes_before_the_query_of_a_url(tmp_path):
    storage = f"file://{tmp_path}/runs?of=nothing"
    assert Probe().use_storage(storage, "trial", {}, "driver", "") is None
    assert (tmp_path / "runs" / "trial" / "driver").exists()


def test_storage_that_differs_or_lacks_a_file_is_said(tmp_path):
    storage = str(tmp_path)
    assert Probe().use_storage(storage, "trial", {}, "driver", "one") is None
    problem = Probe().use_storage(storage, "trial", {"driver": "two"}, "node", "")
    assert problem == "driver holds something else here"
    assert "nothing" in str(Probe().use_storage(storage, "trial", {"nothing": ""}, "node", ""))
    assert not (tmp_path / "trial" / "node").exists()


def test_the_digest_follows_the_code(tmp_path, monkeypatch):
    before = code_digest()
    assert before
    for package in ("gan", "tasks"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    program = "import sys; sys.path.insert(0, sys.argv[1]); exec(open(sys.argv[2]).read()); print(code_digest())"

    def of_copy():
        command = [sys.executable, "-I", "-c", program, str(tmp_path), str(probe.__file__)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    empty = of_copy()
    (tmp_path / "gan" / "a.py").write_text("x = 1\n")
    assert len({before, empty, of_copy()}) == 3


def test_the_interface_of_an_address_is_found_and_no_other_taken():
    assert probe._interface("127.0.0.1")
    with pytest.raises(LookupError, match="no network interface"):
        probe._interface("203.0.113.9")
