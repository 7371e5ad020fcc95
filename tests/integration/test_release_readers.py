"""Every format of a release is read by the readers that people have: datasets, webdataset, pandas, DuckDB, numpy.

`GANFLOW_READERS_IMAGES` says of how many images, a multiple of three.
"""

import json
import os
import subprocess
import sys

import duckdb
import numpy as np
import pandas
import pytest
import torch
import webdataset
from PIL import Image
from releasing import CLASSES, release, small_program

from gan.data.store.shards import read_column

pytestmark = pytest.mark.integration
IMAGES = int(os.environ.get("GANFLOW_READERS_IMAGES", "120"))
SHARD = IMAGES // 3
OWN = {"num_images": IMAGES, "batch_size": 32, "shard_images": SHARD + 10}

# In a process of its own: `datasets` reads its environment when it is imported.
PROGRAM = """
import json, sys
import datasets
datasets.disable_progress_bars()
kind, given = sys.argv[1], json.loads(sys.argv[2])
ways = []
for streaming in (False, True):
    data = datasets.load_dataset(kind, streaming=streaming, **given)
    (split,) = data
    found = []
    for row in data[split]:
        picture = row.get("image", row.get("png"))
        facts = row.get("json", row)
        label = row.get("label", row.get("cls"))
        found.append([split, picture.size, list(picture.tobytes()), label, facts["seed"], facts.get("class")])
    features = data[split].features
    ways.append([found, getattr((features or {}).get("label"), "names", None)])
print(json.dumps(ways))
"""


@pytest.fixture(scope="module")
def program():
    return small_program()


@pytest.fixture(scope="module")
def drawn(program, tmp_path_factory):
    """Return a function that draws a release in a format, once."""
    folders = {}

    def draw(form):
        if form not in folders:
            home = tmp_path_factory.mktemp(form)
            folders[form] = release(home, program, format=form, **OWN).folder
        return folders[form]

    return draw


@pytest.fixture(scope="module")
def wanted(drawn):
    """Seeds, labels and pixels of all rows, as Parquet has them."""
    from gan.data.store.shards import read_split

    folder = drawn("parquet")
    images = np.concatenate([images for images, _ in read_split(folder, "train")])
    return read_column(folder, "train", "seed"), read_column(folder, "train", "label"), images


def load(tmp_path, kind, **given):
    """Rows, and names of classes, as `datasets` loads them: whole, and streaming."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-c", PROGRAM, kind, json.dumps(given)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=2500)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("form", ["parquet", "webdataset", "imagefolder"])
def test_datasets_shows_pictures_labels_and_seeds(drawn, wanted, tmp_path, form):
    folder = drawn(form)
    given = {"data_dir": str(folder)} if form != "webdataset" else {"data_files": {"train": f"{folder}/train-*.tar"}}
    ways = load(tmp_path, form, **given)
    assert len(ways) == 2
    seeds, labels, images = wanted
    place = {seed: row for row, seed in enumerate(seeds)}
    for rows, names in ways:
        assert {(split, tuple(size)) for split, size, *_ in rows} == {("train", (8, 8))}
        rows.sort(key=lambda row: place[row[4]])  # an image folder's come by their paths
        assert [row[4] for row in rows] == seeds
        assert [row[3] for row in rows] == labels
        assert [row[2] for row in rows] == images.reshape(IMAGES, -1).tolist()
        if form == "parquet":
            assert names == list(CLASSES)
        else:
            assert [row[5] for row in rows] == [CLASSES[label] for label in labels]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::UserWarning")
def test_webdataset_streams_the_rows_in_order(drawn, wanted):
    seeds, labels, images = wanted
    shards = sorted(map(str, drawn("webdataset").glob("*.tar")))
    rows = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8").to_tuple("png", "cls", "json"))
    assert np.array_equal([picture for picture, _, _ in rows], images)
    assert [label for _, label, _ in rows] == labels
    assert [facts["seed"] for _, _, facts in rows] == seeds
    assert {facts["class"] for _, _, facts in rows} == set(CLASSES)


def test_numpy_loads_arrays_without_pickle(drawn, wanted):
    seeds, labels, images = wanted
    found = [np.load(path, allow_pickle=False) for path in sorted(drawn("npz").glob("*.npz"))]
    assert [len(each["labels"]) for each in found] == [SHARD] * 3
    for name, values in (("images", images), ("labels", labels), ("seeds", seeds)):
        assert np.array_equal(np.concatenate([each[name] for each in found]), values)


def test_a_reader_of_folders_finds_a_class_a_folder(drawn, wanted):
    seeds, labels, images = wanted
    train = drawn("imagefolder") / "train"
    table = pandas.read_csv(train / "metadata.csv")
    assert table["seed"].tolist() == seeds
    assert table["label"].tolist() == labels
    assert sorted(path.name for path in train.iterdir() if path.is_dir()) == ["one _ eins", "zero", "zwei"]
    for place in (0, 17, IMAGES - 1):
        with Image.open(train / table["file_name"][place]) as picture:
            assert np.array_equal(np.asarray(picture), images[place])


def test_pandas_and_duckdb_read_the_shards(drawn, wanted):
    seeds, labels, _ = wanted
    folder = drawn("parquet")
    table = pandas.concat([pandas.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])
    assert table["seed"].tolist() == seeds
    query = f"select label, count(*) from read_parquet('{folder}/train-*.parquet') group by label order by label"
    assert duckdb.query(query).fetchall() == [(label, labels.count(label)) for label in range(3)]


def test_each_shard_has_the_mix_of_all(drawn):
    for path in sorted(drawn("npz").glob("*.npz")):
        with np.load(path) as shard:
            counts = np.bincount(shard["labels"], minlength=3)
        assert np.abs(counts - SHARD / 3).max() < 3


def test_an_image_is_drawn_again_from_what_stands_beside_it(program, wanted):
    from gan.generation.program_file import load_program_bytes

    seeds, labels, images = wanted
    rows = torch.tensor([seeds, labels]).T
    again = load_program_bytes(program, "the program")(rows).numpy()
    assert np.abs(again.astype(int) - images).max() <= 1
