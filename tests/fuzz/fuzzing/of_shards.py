"""Attacks on a file of quotas, and on shards of releases in every format but Parquet, which `of_records` reads."""

import json
from functools import cache

import numpy as np

from fuzzing.sources import place
from fuzzing.target import target
from fuzzing.trees import EDITS, edited_json
from gan.release.formats.table import format_named
from gan.release.quotas import read_quotas
from gan.release.shard import Marks, Shard, pixel_digests
from tasks.generate.manifest import require_files, verify_release
from tasks.lineage.on_disk import image_of_row
from tasks.runtime.settings import Settings

NAMES = ("cat", "a/b")
COUNT, SHAPE = 5, (4, 4, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)


@target(lambda: {"quotas.csv": b'\xef\xbb\xbfclass,count\r\ncat,3\r\n\r\n"a/b",12\r\n'})
def quotas(name, data, folder):
    place(folder, {name: data})
    found = read_quotas(folder / name, NAMES)
    assert set(found) <= set(NAMES)
    assert sum(found.values()) > 0


@cache
def _release(form):
    """The files of a small release."""
    module = format_named(form)
    payloads = module.payloads(IMAGES, Marks())
    labels, seeds = np.arange(COUNT) % 2, np.arange(100, 100 + COUNT)
    shard = Shard(0, 1, SHAPE, NAMES, payloads, pixel_digests(IMAGES), seeds, labels)
    files = dict(module.files(shard))
    if module.INDEX_FILE:
        files[module.INDEX_FILE] = module.INDEX_HEADER + module.index_lines(shard)
    return files


def _read(form, name, data, folder):
    """As `verify` and `lineage` read it; the manifest is of whoever changed the file."""
    files = _release(form) | {name: data}
    generation = {"num_images": COUNT, "first_seed": 100, "batch_size": 4, "format": form}
    image = dict(zip(("height", "width", "channels"), SHAPE, strict=True))
    manifest = {"model": {"version": 3}, "generation": generation, "image": image, "files": _digests(files)}
    home = Settings(ganflow_home=folder)
    place(home.synthetic_dir / "r", files | {"manifest.json": json.dumps(manifest).encode()})
    require_files(home.synthetic_dir / "r", manifest["files"])
    verify_release(home.synthetic_dir / "r")
    image_of_row(home, "r", COUNT - 1)


def _digests(files):
    from hashlib import sha256

    return {path: sha256(content).hexdigest() for path, content in files.items()}


def _shards(form, *suffixes):
    return lambda: {name: data for name, data in _release(form).items() if name.endswith(suffixes)}


@target(_shards("webdataset", ".tar"))
def webdataset_shard(name, data, folder):
    _read("webdataset", name, data, folder)


@target(_shards("npz", ".npz"))
def npz_shard(name, data, folder):
    _read("npz", name, data, folder)


@target(_shards("imagefolder", ".csv", ".png"))
def image_folder(name, data, folder):
    _read("imagefolder", name, data, folder)


@target(lambda: {"manifest.json": json.dumps(_manifest()).encode()}, edits=(EDITS, edited_json))
def manifest_of_tars(name, data, folder):
    place(folder, _release("webdataset") | {name: data})
    verify_release(folder)


def _manifest():
    generation = {"num_images": COUNT, "first_seed": 100, "batch_size": 4, "format": "webdataset"}
    image = {"height": 4, "width": 4, "channels": 3}
    return {
        "model": {"version": 3},
        "generation": generation,
        "image": image,
        "files": _digests(_release("webdataset")),
    }
