"""The decoded copy on local disk: there whole and unaltered, or made anew."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.store.resident import load_resident, open_resident
from gan.data.store.resident_cache import DecodedSplit, write_version
from gan.data.store.shards import read_split, write_shards
from gan.errors import DatasetError

FILES = ["record.json", "test-images.npy", "test-labels.npy", "train-images.npy", "train-labels.npy"]


@pytest.fixture
def data_dir(build, noise, tmp_path):
    records = [noise(seed, label=0, channels=3, shape=(8, 8)) for seed in range(50)]
    build(records, tmp_path / "data", DataConfig(resolution=8), class_names=("a",))
    return tmp_path / "data"


def load(data_dir, cache_dir, split="train"):
    return load_resident(data_dir, split, cache_dir=cache_dir, md5="abc")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_version_is_decoded_once_and_mapped_read_only(data_dir, tmp_path):
    contents = {split: next(read_split(data_dir, split)) for split in ("train", "test")}
    assert open_resident(tmp_path / "cache", "abc", "train") is None
    for split, (images, labels) in contents.items():
        resident = load(data_dir, tmp_path / "cache", split)
        assert isinstance(resident.images, np.memmap)
        assert np.array_equal(resident.images, images)
        assert np.array_equal(resident.labels, labels)
        assert len(resident) == len(labels)
        with pytest.raises(ValueError, match="read-only"):
            resident.images[0] = 0
        data_dir.rename(tmp_path / "away") if data_dir.exists() else None
    assert names(tmp_path / "cache" / "abc") == FILES
    assert names(tmp_path / "cache") == [".abc.lock", "abc"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def other_pixels(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))  # whatever the clock of the disk tells apart


def gone(path):
    path.unlink()


@pytest.mark.parametrize("harm", [cut, other_pixels, gone])
@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("test")])
def test_what_was_harmed_is_not_taken_but_made_anew(data_dir, tmp_path, name, harm):
    first = np.array(load(data_dir, tmp_path / "cache").images)
    harm(tmp_path / "cache" / "abc" / name)
    assert open_resident(tmp_path / "cache", "abc", "train") is None
    again = load(data_dir, tmp_path / "cache")
    assert np.array_equal(again.images, first)
    assert not again.labels.any()
    assert names(tmp_path / "cache" / "abc") == FILES


def test_a_file_with_another_time_is_read_through_once(data_dir, tmp_path):
    load(data_dir, tmp_path)
    path = tmp_path / "abc" / "train-images.npy"
    written = path.stat().st_mtime_ns
    os.utime(path, ns=(1, 1))
    assert open_resident(tmp_path, "abc", "train") is not None
    assert path.stat().st_mtime_ns == written


def test_a_folder_of_before_is_made_anew(data_dir, tmp_path):
    folder = tmp_path / "cache" / "abc"
    folder.mkdir(parents=True)
    np.save(folder / "train-images.npy", np.zeros((3, 8, 8, 3), np.uint8))
    np.save(folder / "train-labels.npy", np.zeros(3, np.int64))
    assert len(load(data_dir, tmp_path / "cache")) > 3
    assert names(folder) == FILES


KILLED = """
import os, signal, sys
from pathlib import Path
from gan.data.store import resident

whole = resident.read_split

def until_the_second_split(folder, split):
    if split == "test":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(folder, split)

resident.read_split = until_the_second_split
resident.load_resident(Path(sys.argv[1]), "train", cache_dir=Path(sys.argv[2]), md5="abc")
"""


def test_what_a_kill_left_counts_for_nothing(data_dir, tmp_path):
    command = [sys.executable, "-c", KILLED, str(data_dir), str(tmp_path / "cache")]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    assert names(tmp_path / "cache") == [".abc.lock", ".abc.partial"]
    for split in ("train", "test"):
        assert open_resident(tmp_path / "cache", "abc", split) is None
    ((images, _),) = read_split(data_dir, "train")
    assert np.array_equal(load(data_dir, tmp_path / "cache").images, images)
    assert names(tmp_path / "cache") == [".abc.lock", "abc"]


def break_shard(data_dir):
    (shard,) = data_dir.glob("train-*")
    shard.write_bytes(b"PAR1")
    return shard.name


def one_image_less(data_dir):
    for (images, labels), path in zip(read_split(data_dir, "train"), data_dir.glob("train-*"), strict=True):
        path.unlink()
        write_shards(data_dir, "train", images[1:], labels[1:], class_names=("a",))
    return "images but dataset.json says"


def another_class(data_dir):
    for (images, labels), path in zip(read_split(data_dir, "test"), data_dir.glob("test-*"), strict=True):
        path.unlink()
        write_shards(data_dir, "test", images, labels + 1, class_names=("a", "b"))
    return "the label 1 but dataset.json says 1 classes"


def other_counts(data_dir):
    path = data_dir / "dataset.json"
    info = json.loads(path.read_text())
    info["counts"]["train"]["a"] -= 1
    path.write_text(json.dumps(info))
    return "images of the class a but"


def another_size(data_dir):
    path = data_dir / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"channels": 1, "mean": [0.5], "std": [0.5]}))
    return r"images of shape \(8, 8, 3\) but"


@pytest.mark.parametrize("harm", [break_shard, one_image_less, another_class, other_counts, another_size])
def test_a_dataset_that_is_not_what_it_says_leaves_nothing_in_the_cache(data_dir, tmp_path, harm):
    sentence = harm(data_dir)
    with pytest.raises(DatasetError, match=sentence):
        load(data_dir, tmp_path / "cache")
    assert names(tmp_path / "cache") == [".abc.lock"]


def test_a_limit_of_addresses_is_said_and_nothing_is_decoded_anew(tmp_path):
    images = np.zeros((2**17, 32, 32, 1), np.uint8)  # 128 MiB
    write_version(tmp_path, "abc", {"train": DecodedSplit(images.shape, [(images, np.zeros(2**17, np.int64))])})
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from gan.data.store.resident import open_resident\n"
        "from gan.errors import ResourcesError\n"
        "pages = int(Path('/proc/self/statm').read_text().split()[0])\n"
        "most = pages * resource.getpagesize() + 2**26\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "try:\n"
        "    open_resident(Path(sys.argv[1]), 'abc', 'train')\n"
        "except ResourcesError as error:\n"
        "    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout == (
        f"the decoded images in {tmp_path / 'abc'} are larger than the addresses that this process may use: "
        "raise the limit (`ulimit -v unlimited`), which is no limit of memory\n"
    )


def test_two_processes_at_once(data_dir, tmp_path):
    program = (
        "import sys; from pathlib import Path; from gan.data.store.resident import load_resident; "
        "r = load_resident(Path(sys.argv[1]), 'train', cache_dir=Path(sys.argv[2]), md5='abc'); "
        "print(int(r.images.astype(int).sum()))"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(data_dir), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = {process.communicate(timeout=60)[0] for process in processes}
    assert all(process.returncode == 0 for process in processes)
    assert len(sums) == 1
