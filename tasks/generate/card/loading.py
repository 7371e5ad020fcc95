"""The section of a release's card on how its files are read, by their format."""

from collections.abc import Mapping
from typing import Any

PARQUET, WEBDATASET, IMAGEFOLDER, NPZ = "parquet", "webdataset", "imagefolder", "npz"

_PARQUET = """```python
import glob, datasets, duckdb, pandas  # any of them

rows = datasets.load_dataset("parquet", data_files="train-*.parquet", split="train")  # streaming=True reads as it goes
frame = pandas.concat(map(pandas.read_parquet, sorted(glob.glob("train-*.parquet"))))
counts = duckdb.sql("SELECT label, count(*) FROM 'train-*.parquet' GROUP BY label ORDER BY label")
```

Columns: `image` (a struct of `bytes`, a PNG, and `path`), `label` (-1: none), `sha256` of the pixels, `seed`."""
_WEBDATASET = """```python
import glob, datasets, webdataset  # either of them

rows = datasets.load_dataset("webdataset", data_files="train-*.tar", split="train", streaming=True)
pairs = webdataset.WebDataset(sorted(glob.glob("train-*.tar")), shardshuffle=False).decode("pil").to_tuple("png", "cls")
```

Each image is `KEY.png`, `KEY.cls` (its label; -1: none) and `KEY.json` (seed, label, class, sha256 of the pixels)."""
_IMAGEFOLDER = """```python
import datasets, duckdb, pandas  # any of them

rows = datasets.load_dataset("imagefolder", data_dir=".", split="train")
frame = pandas.read_csv("train/metadata.csv")
counts = duckdb.sql("SELECT label, count(*) FROM 'train/metadata.csv' GROUP BY label ORDER BY label")
```

`train/` has a folder a class, so torchvision's `ImageFolder("train")` reads it too; `metadata.csv` holds each file's
label, class and seed."""
_NPZ = """```python
import glob, numpy

for path in sorted(glob.glob("train-*.npz")):
    shard = numpy.load(path, allow_pickle=False)
    images, labels, seeds = shard["images"], shard["labels"], shard["seeds"]  # [N, H, W, C] uint8; [N] int64 each
```

Label -1 is none. These arrays have no place for a mark on an image."""
_HOW = {PARQUET: _PARQUET, WEBDATASET: _WEBDATASET, IMAGEFOLDER: _IMAGEFOLDER, NPZ: _NPZ}
_FILES = {PARQUET: "train-*.parquet", WEBDATASET: "train-*.tar", IMAGEFOLDER: "train/**"}


def format_of(manifest: Mapping[str, Any]) -> str:
    """Return the format of a release's files; those of before there were others are Parquet."""
    return str(manifest["generation"].get("format") or PARQUET)


def loading_section(manifest: Mapping[str, Any]) -> str:
    """Return how to read the files, typed in the release's folder."""
    how = _HOW.get(format_of(manifest), "`manifest.json` names the files.")
    return f"## How to load it\n\nIn this folder:\n\n{how}"


def configurations(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the front matter's `configs`, by which Hugging Face finds the files; none where it reads no such files."""
    files = _FILES.get(format_of(manifest))
    return [{"config_name": "default", "data_files": [{"split": "train", "path": files}]}] if files else []
