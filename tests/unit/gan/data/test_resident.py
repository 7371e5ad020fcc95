"""The decoded copy on local disk."""

import subprocess
import sys

import numpy as np
import pytest

from gan.config import DataConfig
from gan.data.resident import load_resident
from gan.data.shards import read_split
from gan.errors import DatasetError


@pytest.fixture
def data_dir(build, noise, tmp_path):
    records = [noise(seed, label=0, channels=3, shape=(8, 8)) for seed in range(50)]
    build(records, tmp_path / "data", DataConfig(resolution=8), class_names=("a",))
    return tmp_path / "data"


def test_a_split_is_decoded_once_and_mapped_read_only(data_dir, tmp_path):
    ((images, labels),) = read_split(data_dir, "train")
    for _ in range(2):
        resident = load_resident(data_dir, "train", cache_dir=tmp_path / "cache", md5="abc")
        assert isinstance(resident.images, np.memmap)
        assert np.array_equal(resident.images, images)
        assert np.array_equal(resident.labels, labels)
        assert len(resident) == len(labels)
        with pytest.raises(ValueError, match="read-only"):
            resident.images[0] = 0
        data_dir.rename(tmp_path / "away") if data_dir.exists() else None
    assert sorted(path.name for path in (tmp_path / "cache" / "abc").iterdir()) == [
        "train-images.npy",
        "train-labels.npy",
    ]


def test_a_cut_cache_file_is_decoded_anew(data_dir, tmp_path):
    first = np.array(load_resident(data_dir, "train", cache_dir=tmp_path, md5="abc").images)
    for name in ("train-images.npy", "train-labels.npy"):
        path = tmp_path / "abc" / name
        path.write_bytes(path.read_bytes()[:100])
        assert np.array_equal(load_resident(data_dir, "train", cache_dir=tmp_path, md5="abc").images, first)


def test_a_broken_dataset_leaves_nothing_in_the_cache(data_dir, tmp_path):
    (shard,) = data_dir.glob("train-*")
    shard.write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match=shard.name):
        load_resident(data_dir, "train", cache_dir=tmp_path / "cache", md5="abc")
    assert list((tmp_path / "cache" / "abc").iterdir()) == []


def test_two_processes_at_once(data_dir, tmp_path):
    program = (
        "import sys; from pathlib import Path; from gan.data.resident import load_resident; "
        "r = load_resident(Path(sys.argv[1]), 'train', cache_dir=Path(sys.argv[2]), md5='abc'); "
        "print(int(r.images.astype(int).sum()))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(data_dir), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = {process.communicate(timeout=60)[0] for process in processes}
    assert all(process.returncode == 0 for process in processes)
    assert len(sums) == 1
