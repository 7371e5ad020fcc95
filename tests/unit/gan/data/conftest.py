"""Sources made of lists, and what is built from them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.building.encode import Job, encode
from gan.data.building.part_store import PartStore
from gan.data.building.recipe import Recipe
from gan.data.records import SourceImage


@dataclass(frozen=True)
class ListPart:
    records: tuple[Any, ...]

    def __len__(self):
        return len(self.records)

    def read(self):
        return iter(self.records)

    def identity(self):
        digest = hashlib.sha256()
        for record in self.records:
            pixels = getattr(record, "pixels", np.empty(0, np.uint8))
            pixels = getattr(pixels, "values", pixels)
            facts = (str(record) if not pixels.size else (record.path, record.label, record.split), pixels.shape)
            digest.update(repr(facts).encode() + pixels.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class ListSource:
    records: Sequence[Any]
    class_names: tuple[str, ...] = ("a", "b")
    has_split: bool = False
    part: int = 7
    notes: tuple[str, ...] = ()
    name: str = "list"
    kind: str = "folder"

    def __len__(self):
        return len(self.records)

    def parts(self):
        return [ListPart(tuple(self.records[at : at + self.part])) for at in range(0, len(self), self.part)]


@pytest.fixture(scope="session")
def list_source():
    return ListSource


@pytest.fixture(scope="session")
def noise():
    """Make an image of noise: equal seeds and shapes, equal pixels."""

    def make(seed, label=None, *, channels=1, split=None, shape=(10, 9), path=None):
        pixels = np.random.default_rng(seed).integers(0, 256, (*shape, channels), dtype=np.uint8)
        return SourceImage(path or f"{seed:03d}.png", seed % 2 if label is None else label, pixels, split)

    return make


@pytest.fixture(scope="session")
def build():
    """Build a dataset in a folder; work folder and list of rejects lie beside it."""

    def make(records, folder: Path, config: DataConfig, *, previous=None, options=None, **source):
        return build_dataset(
            ListSource(records, **source),
            config,
            folder,
            work=folder.with_name(f"{folder.name}-work"),
            quarantine=folder.with_name(f"{folder.name}.jsonl"),
            previous=previous,
            **options or {},
        )

    return make


@pytest.fixture(scope="session")
def stored():
    """Put records into a store of finished parts."""

    def make(records, folder: Path, config: DataConfig, part=7):
        jobs = [Job(each, Recipe.of(config)) for each in ListSource(records, part=part).parts()]
        store = PartStore(folder, [job.key() for job in jobs])
        for index in store.missing():
            store.put(index, encode(jobs[index]))
        return store

    return make


@pytest.fixture(scope="session")
def contents():
    """Return name and sha256 of every file in a folder."""

    def read(folder: Path):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    return read
