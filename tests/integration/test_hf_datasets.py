"""Hugging Face `datasets` shows the shards as pictures."""

import subprocess
import sys

import pytest

from gan.config import DataConfig
from gan.data.dataset import build_dataset
from gan.data.shards import read_split, write_shards
from gan.data.sources import open_source

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
    import json
    import os

    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=200)
    return json.loads(done.stdout.splitlines()[-1])


def test_both_splits_of_a_dataset_show_pictures_and_class_names(tmp_path):
    info = build_dataset(open_source("digits"), DataConfig(resolution=8, holdout_fraction=0.2), tmp_path / "data")
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
    import numpy as np

    images = np.zeros((5, 8, 8, 3), np.uint8)
    (tmp_path / "release").mkdir()
    write_shards(tmp_path / "release", "train", images, [-1] * 5, extra={"seed": range(5)})
    split = load(tmp_path / "release", tmp_path)["train"]
    assert split["columns"] == ["image", "label", "sha256", "seed"]
    assert (split["label"], split["names"], split["mode"]) == (-1, None, "RGB")
