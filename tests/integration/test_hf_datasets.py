"""Hugging Face `datasets` shows the shards as pictures; pandas and DuckDB read them as they are."""

import io
import json
import os
import subprocess
import sys

import duckdb
import numpy as np
import pandas
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.digits import DigitsSource
from gan.data.store import shards
from gan.data.store.shards import read_column, read_split, shard_paths, write_shards

pytestmark = pytest.mark.integration

# In a process of its own: `datasets` reads its environment when it is imported.
PROGRAM = """
import json, sys
import datasets
datasets.disable_progress_bars()
data = datasets.load_dataset("parquet", data_dir=sys.argv[1])
rows = {name: split[0] for name, split in data.items()}
print(json.dumps({
    name: {
        "rows": split.num_rows,
        "picture": type(rows[name]["image"]).__mro__[1].__name__,
        "size": rows[name]["image"].size,
        "mode": rows[name]["image"].mode,
        "pixels": list(rows[name]["image"].tobytes()),
        "label": rows[name]["label"],
        "names": getattr(split.features["label"], "names", None),
        "columns": split.column_names,
    }
    for name, split in data.items()
}))
"""


def load(folder, tmp_path):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=200)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def info(tmp_path):
    """Build the digits' dataset in `data`."""
    places = {"work": tmp_path / "work", "quarantine": tmp_path / "rejects.jsonl"}
    config = DataConfig(resolution=8, holdout_fraction=0.2)
    return build_dataset(DigitsSource(), config, tmp_path / "data", **places).info


@pytest.fixture
def several_shards(monkeypatch):
    monkeypatch.setattr(shards, "_SHARD_BYTES", 500 * 64)


def test_both_splits_of_a_dataset_show_pictures_and_class_names(info, tmp_path):
    splits = load(tmp_path / "data", tmp_path)
    assert {name: split["rows"] for name, split in splits.items()} == {"train": info.num_train, "test": info.num_test}
    for name, split in splits.items():
        images, labels = next(read_split(tmp_path / "data", name))
        assert split["picture"] == "ImageFile"
        assert (split["size"], split["mode"]) == ([8, 8], "L")
        assert split["pixels"] == images[0].ravel().tolist()
        assert split["label"] == labels[0]
        assert split["names"] == list("0123456789")


def test_images_without_labels_load_with_their_seeds(tmp_path):
    images = np.zeros((5, 8, 8, 3), np.uint8)
    (tmp_path / "release").mkdir()
    write_shards(tmp_path / "release", "train", images, [-1] * 5, extra={"seed": range(5)})
    split = load(tmp_path / "release", tmp_path)["train"]
    assert split["columns"] == ["image", "label", "sha256", "seed"]
    assert (split["label"], split["names"], split["mode"]) == (-1, None, "RGB")


def test_pandas_reads_the_same_rows(several_shards, info, tmp_path):
    for split, number in (("train", info.num_train), ("test", info.num_test)):
        paths = shard_paths(tmp_path / "data", split)
        assert (len(paths) > 1) == (split == "train")
        table = pandas.concat([pandas.read_parquet(path) for path in paths])
        assert len(table) == number
        assert table["sha256"].tolist() == read_column(tmp_path / "data", split, "sha256")
        counts = table["label"].value_counts().sort_index().tolist()
        assert counts == list(info.counts[split].values())
        images, _ = next(read_split(tmp_path / "data", split))
        first = Image.open(io.BytesIO(table["image"].iloc[0]["bytes"]))
        assert np.array_equal(np.asarray(first), images[0][..., 0])


def test_duckdb_reads_the_same_rows(several_shards, info, tmp_path):
    for split, number in (("train", info.num_train), ("test", info.num_test)):
        rows = duckdb.read_parquet(str(tmp_path / "data" / f"{split}-*.parquet"))
        query = "select count(*), count(distinct sha256), min(octet_length(image.bytes)) > 0 from rows"
        assert duckdb.query(query).fetchall() == [(number, number, True)]
        counts = duckdb.query("select label, count(*) from rows group by label order by label").fetchall()
        assert counts == list(enumerate(info.counts[split].values()))
        assert rows.columns == ["image", "label", "sha256"]
