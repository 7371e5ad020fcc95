"""Real sets as published, from `GANFLOW_TEST_DATA`: counts, splits, pixels and statistics; and other readers."""

import gzip
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset, in_this_process
from gan.data.building.pool import Pool
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.dataset import DatasetInfo
from gan.data.store.shards import read_split

pytestmark = pytest.mark.integration

SIDE = 32
CLOTHES = dict.fromkeys("0123456789", 6000)
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PUBLISHED = {
    "fashion-mnist": (CLOTHES, dict.fromkeys(CLOTHES, 1000)),
    "mnist": (
        dict(zip("0123456789", (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949), strict=True)),
        dict(zip("0123456789", (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009), strict=True)),
    ),
    "cifar10": (dict.fromkeys(THINGS, 5000), dict.fromkeys(THINGS, 1000)),
}


@dataclass(frozen=True)
class Ingested:
    name: str
    source: Path
    data: Path
    info: DatasetInfo
    notes: tuple[str, ...]

    def files(self):
        return {path.name: path.read_bytes() for path in self.data.iterdir()}


def real_set(name):
    if not os.environ.get("GANFLOW_TEST_DATA"):
        pytest.skip("GANFLOW_TEST_DATA does not name a folder with real sets")
    folder = Path(os.environ["GANFLOW_TEST_DATA"]) / name
    if not folder.is_dir():
        pytest.skip(f"GANFLOW_TEST_DATA holds no {name}")
    return folder


def ingest(source, top, run_jobs):
    opened = open_source(SourceSpec(str(source)), top / "scratch")
    places = {"work": top / "parts", "quarantine": top / "quarantine.jsonl"}
    built = build_dataset(opened, DataConfig(resolution=SIDE), top / "data", run_jobs=run_jobs, **places)
    return Ingested(source.name, source, top / "data", built.info, built.notes)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """Ingest a set by its name, once."""

    @cache
    def once(name):
        with Pool() as pool:
            return ingest(real_set(name), tmp_path_factory.mktemp(name), pool.run)

    return once


@pytest.fixture(params=PUBLISHED)
def real(request, ingested):
    return ingested(request.param)


@pytest.fixture
def cifar(ingested):
    return ingested("cifar10")


def raw_split(folder, split):
    """Read `[N, H, W, C]` uint8 images and labels as the publisher describes the files, without ganflow."""
    if folder.name == "cifar10":
        names = ["test_batch.bin"] if split == "test" else [f"data_batch_{number}.bin" for number in range(1, 6)]
        rows = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, 3073) for name in names])
        return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, 0]
    before = {"train": "train", "test": "t10k"}[split]
    images, labels = (next(folder.glob(f"{before}-{what}-ubyte*")) for what in ("images-idx3", "labels-idx1"))
    images, labels = (
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in (images, labels)
    )
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28, 1), np.frombuffer(labels, np.uint8, offset=8)


def test_counts_and_splits_are_the_published_ones(real):
    train, test = PUBLISHED[real.name]
    assert real.info.counts == {"train": train, "test": test}
    assert (real.info.num_train, real.info.num_test) == (sum(train.values()), sum(test.values()))
    assert (real.info.split, real.info.rejects, real.notes) == ("source", {}, ())
    assert real.info.channels == (3 if real.name == "cifar10" else 1)


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_and_labels_are_the_raw_files_own_in_their_order(real, split):
    images, labels = raw_split(real.source, split)
    seen = 0
    for decoded, numbers in read_split(real.data, split):
        raw = images[seen : seen + len(decoded)]
        assert np.array_equal(numbers, labels[seen : seen + len(decoded)])
        for place in range(0, len(decoded), 97):
            wanted = raw[place]
            if wanted.shape[0] != SIDE:
                small = Image.fromarray(wanted[..., 0])
                wanted = np.asarray(small.resize((SIDE, SIDE), Image.Resampling.LANCZOS))[..., np.newaxis]
            assert np.array_equal(decoded[place], wanted)
        seen += len(decoded)
    assert seen == len(images)


def test_one_process_makes_the_same_bytes_as_many(real, tmp_path):
    again = ingest(real.source, tmp_path, in_this_process)
    first, second = real.files(), again.files()
    assert first.keys() == second.keys()
    assert "dataset.json" in first
    assert [name for name in first if first[name] != second[name]] == []


# In a process of its own: `datasets` reads its environment when it is imported.
PROGRAM = """
import json, sys
import datasets
datasets.disable_progress_bars()
found = datasets.load_dataset("parquet", data_dir=sys.argv[1])
print(json.dumps({
    split: {
        "rows": rows.num_rows,
        "names": rows.features["label"].names,
        "last": [rows[-1]["image"].mode, list(rows[-1]["image"].tobytes()), rows[-1]["label"]],
    }
    for split, rows in found.items()
}))
"""


def last_image(folder, split):
    for images, labels in read_split(folder, split):
        last = [{1: "L", 3: "RGB"}[images.shape[3]], images[-1].ravel().tolist(), int(labels[-1])]
    return last


def test_hugging_face_datasets_reads_both_splits(real, tmp_path):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-c", PROGRAM, str(real.data)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=250)
    found = json.loads(done.stdout.splitlines()[-1])
    for split, rows in {"train": real.info.num_train, "test": real.info.num_test}.items():
        names = list(real.info.class_names)
        assert found[split] == {"rows": rows, "names": names, "last": last_image(real.data, split)}


@pytest.mark.parametrize("split", ["train", "test"])
def test_pandas_reads_both_splits(real, split):
    table = pandas.concat([pandas.read_parquet(path) for path in sorted(real.data.glob(f"{split}-*.parquet"))])
    assert len(table) == getattr(real.info, f"num_{split}")
    counts = table["label"].value_counts().sort_index().tolist()
    assert counts == list(real.info.counts[split].values())
    assert table["sha256"].is_unique
    assert table["image"].iloc[-1]["bytes"].startswith(b"\x89PNG")


@pytest.mark.parametrize("split", ["train", "test"])
def test_duckdb_reads_both_splits(real, split):
    shards = [str(path) for path in sorted(real.data.glob(f"{split}-*.parquet"))]
    with duckdb.connect() as connection:
        table = connection.read_parquet(shards)
        counts = table.aggregate("label, count(*), count(distinct sha256), min(octet_length(image.bytes))").fetchall()
    wanted = list(real.info.counts[split].values())
    assert [row[1:3] for row in sorted(counts)] == [(count, count) for count in wanted]
    assert min(row[3] for row in counts) > 60


def test_the_channel_means_of_cifar_10_are_the_published_ones(cifar):
    sums, pixels = np.zeros(3, np.int64), 0
    for images, _ in read_split(cifar.data, "train"):
        sums += images.sum(axis=(0, 1, 2), dtype=np.int64)
        pixels += images.shape[0] * SIDE * SIDE
    mean = sums / pixels / 255
    assert mean.round(4).tolist() == [0.4914, 0.4822, 0.4465]
    assert tuple(mean.round(6)) == cifar.info.mean
    assert np.round(cifar.info.std, 4).tolist() == [0.2470, 0.2435, 0.2616]


def test_the_published_archive_of_cifar_10_makes_the_same_bytes_as_the_folder(cifar, tmp_path):
    archive = tmp_path / "cifar10.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
        for path in sorted(cifar.source.glob("*.bin"), reverse=True):
            packed.add(path, f"cifar-10-batches-bin/{path.name}")
    with Pool() as pool:
        unpacked = ingest(archive, tmp_path / "made", pool.run)
    first, second = cifar.files(), Ingested("cifar10", archive, unpacked.data, unpacked.info, ()).files()
    assert first == second
