"""Layouts that have been read since there were datasets keep images, order, labels, splits and dataset.json."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.shards import read_column

CONFIG = DataConfig(resolution=8, holdout_fraction=0.3, max_reject_share=0.3)
CLASSES = ("cat", "dog", "eel")


def picture(seed):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def placed(*folders, count=12):
    paths = [f"{folder}/{at}-{index}.png".lstrip("/") for at, folder in enumerate(folders) for index in range(count)]
    return {path: picture(seed) for seed, path in enumerate(paths)}


def table(files, skip=0):
    rows = [f"{path},{CLASSES[at % 3]}" for at, path in enumerate(files)][skip:]
    return "\n".join(["file_name,label", *rows, "gone.png,cat"]).encode()


SPLIT = ("train/cat", "train/dog", "test/cat", "test/dog")
BUCKETS = placed("00000", "00001")
LAYOUTS = {
    "classes": placed("cat", "dog", "dog/deeper"),
    "classes with numbers": placed("0", "1", "2"),
    "companions": {**placed("cat", "dog"), "README.md": b"x", "cat/notes.txt": b"x", ".DS_Store": b"x"},
    "flat": placed(""),
    "images beside classes": {**placed("cat", "dog"), "loose.png": picture(999)},
    "broken images": {**placed("cat", "dog"), "cat/cut.png": picture(998)[:60], "dog/text.jpg": b"text"},
    "splits": placed(*SPLIT),
    "three splits": placed(*SPLIT, "val/cat", "val/dog"),
    "splits without classes": placed("train", "test"),
    "images beside splits": {**placed(*SPLIT), "loose.png": picture(999)},
    "a folder around classes": placed("set/cat", "set/dog"),
    "folders around splits": placed(*(f"my/set/{folder}" for folder in SPLIT)),
    "a class in test alone": placed(*SPLIT, "test/eel"),
    "a table": {**(flat := placed("")), "labels.csv": table(flat, skip=1)},
    "a table above folders": {**(two := placed("x", "y")), "metadata.csv": table(two)},
    "StyleGAN": {
        **BUCKETS,
        "dataset.json": json.dumps({"labels": [[path, at % 3 + 9] for at, path in enumerate(BUCKETS)]}).encode(),
    },
    "StyleGAN without labels": {**BUCKETS, "dataset.json": b'{"labels": null}'},
    "a table per split": {
        **(split := placed("train", "test")),
        "train/metadata.csv": table([path[6:] for path in split if path.startswith("train")]),
        "test/metadata.csv": table([path[5:] for path in split if path.startswith("test")]),
    },
}
BEFORE = {
    "classes": "c9fc2ffdad64d647",
    "classes with numbers": "fcce41de47741395",
    "companions": "622e729da5d0e414",
    "flat": "df1437e2b389ca1f",
    "images beside classes": "1d7c0644097d60c3",
    "broken images": "abea6a5fa79989d3",
    "splits": "31d8107271ea952a",
    "three splits": "a7e30fb6dc6c1555",
    "splits without classes": "e3bc0769eacbcf67",
    "images beside splits": "4effe89131e1dd3e",
    "a folder around classes": "622e729da5d0e414",
    "folders around splits": "31d8107271ea952a",
    "a class in test alone": "2f6094d617a7b1c0",
    "a table": "6438af4887a9c8b2",
    "a table above folders": "f67b0fc524fc29a6",
    "StyleGAN": "486e64d6ba44d05c",
    "StyleGAN without labels": "1cbf9d6270b7fbea",
    "a table per split": "0ddd03443e81932e",
}


def fingerprint(tmp_path, files, packed):
    source = tmp_path / "set"
    if packed:
        source = tmp_path / "set.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for path, data in files.items():
                archive.writestr(path, data)
    for path, data in {} if packed else files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(data)
    found = open_source(SourceSpec(str(source)), tmp_path / "scratch")
    out = tmp_path / "data"
    build_dataset(found, CONFIG, out, work=tmp_path / "work", quarantine=tmp_path / "quarantine.jsonl")
    digest = hashlib.sha256((out / "dataset.json").read_bytes())
    for split in ("train", "test"):
        digest.update(repr([list(read_column(out, split, name)) for name in ("sha256", "label")]).encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_gives_what_it_gave(tmp_path, name):
    for packed in (False, True):
        (tmp_path / str(packed)).mkdir()
        assert fingerprint(tmp_path / str(packed), LAYOUTS[name], packed) == BEFORE[name], packed
