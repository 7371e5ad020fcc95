"""Good records of ganflow's own: datasets, releases, evaluations, caches, notes."""

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from fuzzing.sources import CONFIG, COUNT, files, place
from gan.data.building.build import build_dataset
from gan.data.building.encode import Job, do
from gan.data.building.recipe import Recipe
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.resident import load_resident
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.feature_set import FeatureSet
from gan.metrics.frechet import Moments
from gan.metrics.protocol import Protocol

MD5 = "0123456789abcdef" * 2


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@cache
def dataset():
    """The files of a dataset folder, and `quarantine.jsonl`."""
    with tempfile.TemporaryDirectory() as top:
        root, work = Path(top, "set"), Path(top, "work")
        place(root, {**files(), "cat/broken.png": b"no image"})
        source = open_source(SourceSpec(str(root)), work / "scratch")
        build_dataset(source, CONFIG, Path(top, "data"), work=work / "parts", quarantine=work / "quarantine.jsonl")
        return contents(Path(top, "data")) | {"quarantine.jsonl": (work / "quarantine.jsonl").read_bytes()}


def finished_part():
    """The file of encoded images that a killed ingest leaves."""
    with tempfile.TemporaryDirectory() as top:
        root = Path(top, "set")
        place(root, files())
        (part,) = open_source(SourceSpec(str(root)), Path(top)).parts()
        do(Job(part, Recipe.of(CONFIG), Path(top, "part.arrow")))
        return Path(top, "part.arrow").read_bytes()


@cache
def decoded():
    """The files of a decoded version in the cache."""
    with tempfile.TemporaryDirectory() as top:
        place(Path(top, "data"), dataset())
        load_resident(Path(top, "data"), "train", cache_dir=Path(top, "cache"), md5=MD5)
        return contents(Path(top, "cache", MD5))


@cache
def feature_files():
    features = np.random.default_rng(1).normal(size=(COUNT, 5)).astype(np.float32)
    moments = Moments(5)
    moments.update(features)
    with tempfile.TemporaryDirectory() as top:
        FeatureSet(features, moments).save(Path(top))
        return contents(Path(top))


def protocol(**changes):
    facts = {"num_generated": 1000, "num_reference": 900, "reference_split": "train", "resize": "tf1", "seed": 0}
    facts |= {"network": "inception", "network_sha256": "s", "precision": "bf16", "dataset_md5": MD5}
    return Protocol(**facts | changes)


def evaluation(**changes):
    metrics = {"kid1k": Metric(value=0.01, low=0.005, high=0.02), "fid1k": Metric(value=12.5, note="few images")}
    return Evaluation(
        protocol=protocol(**changes),
        metrics=metrics,
        per_class={"cat": Metric(value=0.5)},
        baseline={"kid1k": Metric(value=0.0)},
        warnings=["few images"],
    )


def as_bytes(tree):
    return json.dumps(tree).encode()
