"""A place to make bad input in, and to ingest it from while watching everything around it."""

import hashlib
import io
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.dataset import DatasetInfo
from gan.data.store.shards import read_split, split_rows
from gan.errors import GanflowError

SIDE = 8


@dataclass(frozen=True)
class Outcome:
    info: DatasetInfo
    notes: tuple[str, ...]
    rejects: dict[str, str]
    details: dict[str, str]
    pixels: dict[str, set[bytes]]  # split -> sha256 of its images
    labels: dict[bytes, str]

    def has(self, images):
        """Whether all these `[N, H, W, 3]` images of the dataset's size are in it."""
        return {digest(image) for image in images} <= self.pixels["train"] | self.pixels["test"]


def digest(pixels):
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).digest()


class Zoo:
    """Makes good input to hide the bad in, and ingests both."""

    def __init__(self, top: Path) -> None:
        self.top = top
        # Deep enough that a path with some `..` still ends within what is watched.
        self.given = top / "a" / "b" / "given"
        self.all_made = top / "c" / "d" / "made"
        self.given.mkdir(parents=True)
        self.all_made.mkdir(parents=True)
        self.made = self.all_made
        self.good = np.random.default_rng(0).integers(0, 256, (24, SIDE, SIDE, 3), np.uint8)

    def pixels(self, seed, height=SIDE, width=SIDE, channels=3):
        shape = (height, width, channels) if channels else (height, width)
        return np.random.default_rng(1000 + seed).integers(0, 256, shape, np.uint8)

    def encode(self, pixels, format="PNG", **options):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, format, **options)
        return out.getvalue()

    def good_files(self, classes=("cat", "dog")):
        """Path -> bytes of 24 images in class folders."""
        return {
            f"{classes[index % len(classes)]}/{index:02d}.png": self.encode(image)
            for index, image in enumerate(self.good)
        }

    def folder(self, files=None, name="set"):
        """Write the good files, and `files` beside them, as a folder."""
        root = self.given / name
        for path, data in {**self.good_files(), **(files or {})}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        return root

    def ingest(self, spec, labels=None, **changes):
        """Ingest three times: twice from nothing and once from what the first left behind; all must be equal."""
        before = self._begin()
        first, reused = self._build(spec, labels, changes, "first", "one")
        assert reused == 0
        again, _ = self._build(spec, labels, changes, "second", "two")
        kept, reused = self._build(spec, labels, changes, "first", "three")
        assert again == first
        assert kept == first
        assert reused == first["records"]
        assert self._watch() == before
        return self._outcome(first, self.made / "one" / "data")

    def refuse(self, spec, labels=None, **changes):
        """Ingest what must be refused; return the sentence."""
        before = self._begin()
        messages = set()
        for place, out in (("first", "one"), ("second", "two"), ("first", "three")):
            with pytest.raises(GanflowError) as caught:
                self._build(spec, labels, changes, place, out)
            messages.add(str(caught.value).replace(str(self.made / out), "…"))
        assert self._watch() == before
        (message,) = messages
        assert message.isprintable(), "one line"
        assert "Traceback" not in message
        return message

    def _begin(self):
        self.made = self.all_made / str(len(list(self.all_made.iterdir())))
        self.made.mkdir()
        return self._watch()

    def _build(self, spec, labels, changes, place, out):
        config = DataConfig(**{"resolution": SIDE, "holdout_fraction": 0.3, "max_reject_share": 0.9} | changes)
        folder, data, quarantine = self.made / place, self.made / out / "data", self.made / out / "quarantine.jsonl"
        source = open_source(SourceSpec(str(spec), labels=labels and str(labels)), folder / "scratch")
        built = build_dataset(source, config, data, work=folder / "parts", quarantine=quarantine)
        assert {path.name for path in self.made.iterdir()} <= {"first", "second", "one", "two", "three"}
        assert {path.name for path in folder.iterdir()} <= {"scratch", "parts"}
        assert {path.name for path in data.parent.iterdir()} == {"data", "quarantine.jsonl"}
        info = built.info
        assert (info.num_train, info.num_test) == (split_rows(data, "train"), split_rows(data, "test"))
        assert info.num_train + info.num_test + info.num_rejects == len(source), "neither kept nor rejected"
        files = {path.name: path.read_bytes() for path in [*data.iterdir(), quarantine]}
        return {"files": files, "notes": built.notes, "info": info, "records": len(source)}, built.reused

    def _outcome(self, built, data):
        info = built["info"]
        lines = [json.loads(line) for line in built["files"]["quarantine.jsonl"].decode("utf-8").splitlines()]
        assert len(lines) == info.num_rejects
        pixels, labels = {"train": set(), "test": set()}, {}
        for split, found in pixels.items():
            for images, numbers in read_split(data, split):
                for image, label in zip(images, numbers, strict=True):
                    found.add(digest(image))
                    labels[digest(image)] = info.class_names[label] if label >= 0 else ""
        rejects = {line["path"]: line["reason"] for line in lines}
        return Outcome(info, built["notes"], rejects, {line["path"]: line["detail"] for line in lines}, pixels, labels)

    def _watch(self):
        """Everything below the top but what ganflow may write, as it is now."""
        found, folders = {}, [os.fsencode(self.top)]
        while folders:
            for path in [each.path for each in os.scandir(folders.pop())]:
                if path == os.fsencode(self.all_made):
                    continue
                state = os.lstat(path)
                if stat.S_ISDIR(state.st_mode):
                    folders.append(path)
                    found[path] = (state.st_mode,)
                else:
                    found[path] = (state.st_mode, state.st_size, state.st_mtime_ns, _hash(path, state))
        return found, os.getcwd()


def _hash(path, state):
    if not stat.S_ISREG(state.st_mode) or not os.access(path, os.R_OK):
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    place = Zoo(tmp_path)
    (tmp_path / "e" / "f" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "e" / "f" / "here")
    return place
