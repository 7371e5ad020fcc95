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


def test_a_turn_without_a_network_counts_all_images(bench, work):
    held, read = (
        bench.run_turn(bench.Turn(str(work), 16, 5, memory, None, train=False), None) for memory in (3000 * 768, 1000)
    )
    assert "held in memory" in held["told"]
    assert "read from disk beside the step" in read["told"]
    for found in (held, read):
        assert found["mib_per_s"] == pytest.approx(found["img_per_s"] * 768 / 2**20)
        assert found["peak_bytes"] > 2**20


def test_a_clock_times_what_lies_between_records(bench):
    clock = bench.Clock(0)
    clock.seen = [(100, 1.0, 0.5), (300, 2.0, 1.0), (1100, 3.0, 2.5)]
    assert clock.rates() == {"img_per_s": 500.0, "cpu_s_per_kimg": 2.0}


def test_a_turn_that_fails_ends_the_benchmark(bench, tmp_path):
    (tmp_path / bench.MD5).mkdir()
    with pytest.raises(SystemExit, match="a turn ended with 1"):
        bench.run_turn(bench.Turn(str(tmp_path), 32, 1, None, None, train=False), None)


def test_a_group_holds_its_processes_and_is_removed(bench):
    try:
        group = bench.MemoryGroup(2**28)
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
    assert found["batches alone, 256 px"]["read"]["mib_per_s"]["median"] > 0
    assert list(found["met"]) == ["ratio >= 0.85"]
