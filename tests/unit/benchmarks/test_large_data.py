"""Turns of the benchmark are what they are called: one holds the images, the other reads them, of the same dataset."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gan.data.store.resident import open_resident


@pytest.fixture(scope="session")
def bench(benchmark_module):
    return benchmark_module("large_data")


@pytest.fixture(scope="session")
def work(bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    bench.write_dataset(folder, 16, 3000)
    return folder


def test_the_dataset_is_digits_with_noise_of_any_size(bench, work):
    found = open_resident(work, bench.MD5, "train")
    assert found.images.shape == (3000, 16, 16, 3)
    assert set(found.labels.tolist()) == set(range(10))
    again = np.asarray(found.images[1797:])  # the same digits once more, with other noise
    first = np.asarray(found.images[: len(again)])
    assert not np.array_equal(again, first)
    assert np.abs(again.astype(int) - first).max() < 32
    bench.dropped(work)
    assert np.array_equal(np.asarray(open_resident(work, bench.MD5, "train").images[1797:]), again)


def test_workers_without_a_network_take_turns(bench, work):
    held, read = (bench.Task(str(work), 16, 5, memory, None, train=False) for memory in (3000 * 768, 1000))
    found = bench.compare(held, read, 2, {})
    assert "held in memory" in found["held"]["told"]
    assert "read from disk beside the step" in found["read"]["told"]
    for name in ("held", "read"):
        assert len(found[name]["img_per_s"]["each"]) == 2
        assert found[name]["peak_bytes"] > 2**20
    assert len(found["ratio"]["each"]) == len(found["read"]["ready"]["each"]) == 2
    assert "ready" not in found["held"]


def test_the_second_half_of_a_turn_is_timed(bench, monkeypatch):
    said, turns = [], bench.Turns()
    monkeypatch.setattr(bench.time, "perf_counter", iter([1.0, 2.0, 4.0, 8.0]).__next__)
    monkeypatch.setattr(bench.time, "process_time", iter([0.0, 1.0, 2.0, 5.0]).__next__)
    monkeypatch.setattr(turns, "wait", lambda **told: said.append(told))
    for images in (100, 300, 700, 1100):
        turns.mark(images)
    assert said == [{"img_per_s": 200.0, "cpu_s_per_kimg": 5.0}, {"img_per_s": 100.0, "cpu_s_per_kimg": 7.5}]


def test_a_worker_that_fails_ends_the_benchmark(bench, tmp_path):
    with pytest.raises(SystemExit, match="a worker ended with 1"):
        bench.Worker(bench.Task(str(tmp_path), 32, 1, None, None, train=False), None)


def test_a_group_holds_its_processes_and_is_removed(bench):
    try:
        group = bench.MemoryGroup("test", 2**28)
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    code = "import sys; data = bytearray(100 * 2**20); sys.exit(3)"
    try:
        done = subprocess.run([sys.executable, "-c", code], preexec_fn=group.enter, check=False)
        assert done.returncode == 3
        assert 100 * 2**20 < group.peak() <= 2**28
    finally:
        group.remove()
    assert not group.folder.exists()


@pytest.mark.slow
def test_quick_is_both_variants_in_one_object():
    root = Path(__file__).parents[3]
    command = [sys.executable, str(root / "benchmarks/large_data.py"), "--quick"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout)
    trained = found["training, 32 px"]
    assert trained["bytes"] >= 4 * found["limit_bytes"]
    assert "held in memory" in trained["held"]["told"]
    assert "read from disk" in trained["read"]["told"]
    assert trained["ratio"]["median"] > 0
    assert found["batches alone, 256 px"]["read_mib_per_s"] > 0
    assert list(found["met"]) == ["ratio >= 0.85"]
