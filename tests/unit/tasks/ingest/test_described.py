"""`croissant.json` of a dataset: as MLCommons' own library reads it, and no new version for its sake alone."""

import io
import shutil
import subprocess
import sys

import mlcroissant as mlc
import numpy as np
import pytest
from PIL import Image

from gan.data.store.dataset import DatasetInfo, write_dataset_info
from gan.data.store.shards import write_shards
from gan.release.croissant import FILE
from tasks.ingest.described import describe_dataset

NAMES = ("null", "é")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
LABELS = np.array([0, 1, 0, 0, 1])
INFO = DatasetInfo(
    name="digits",
    source_kind="folder",
    licence="CC-BY-4.0",
    source_url="https://example.org/set",
    credit="A. N. Other",
    description="Some digits.",
    resolution=8,
    channels=1,
    class_names=NAMES,
    crop="centre",
    filter="lanczos",
    background="#ffffff",
    class_map={},
    split="hash",
    holdout_fraction=0.4,
    num_train=3,
    num_test=2,
    counts={"train": {"null": 2, "é": 1}, "test": {"null": 1, "é": 1}},
    mean=(0.5,),
    std=(0.2,),
    rejects={},
)


def dataset(folder, info=INFO):
    folder.mkdir()
    for split, rows in (("train", slice(0, 3)), ("test", slice(3, 5))):
        write_shards(folder, split, IMAGES[rows], LABELS[rows], class_names=NAMES, shard_rows=2)
    write_dataset_info(info, folder)
    return folder


def test_mlcroissant_finds_the_images_and_no_fault(tmp_path):
    folder = dataset(tmp_path / "data")
    describe_dataset(folder, None)
    described = mlc.Dataset(jsonld=str(folder / FILE))
    metadata = described.metadata
    assert metadata.ctx.issues.errors == set()
    assert (metadata.name, metadata.description) == ("digits", "Some digits.")
    assert metadata.license == ["https://spdx.org/licenses/CC-BY-4.0"]
    assert {each.name for each in metadata.distribution if getattr(each, "sha256", None)} == {
        path.name for path in folder.glob("*.parquet")
    }
    found = {
        (record["images/split"].decode(), pixels(record["images/image"]), record["images/label"])
        for record in described.records("images")
    }
    splits = ["train"] * 3 + ["test"] * 2
    assert found == {
        (split, image.tobytes(), label) for split, image, label in zip(splits, IMAGES, LABELS.tolist(), strict=True)
    }


def pixels(found):
    image = found if isinstance(found, Image.Image) else Image.open(io.BytesIO(found))
    return image.convert("L").tobytes()


def test_the_same_dataset_has_the_same_bytes_wherever_and_whenever(tmp_path):
    texts = []
    for name in ("one", "two"):
        folder = dataset(tmp_path / name)
        describe_dataset(folder, None)
        texts.append((folder / FILE).read_bytes())
    assert texts[0] == texts[1]
    assert str(tmp_path).encode() not in texts[0]


def test_a_version_of_before_stays_as_it_is_where_nothing_else_changes(tmp_path):
    earlier = dataset(tmp_path / "earlier")
    same = shutil.copytree(earlier, tmp_path / "same")
    describe_dataset(same, earlier)
    assert not (same / FILE).exists()


@pytest.mark.parametrize("change", ["licence", "shard", "described"])
def test_every_other_one_is_described(tmp_path, change):
    earlier = dataset(tmp_path / "earlier")
    if change == "licence":
        later = dataset(tmp_path / "later", INFO.model_copy(update={"licence": "MIT"}))
    else:
        later = shutil.copytree(earlier, tmp_path / "later")
    if change == "shard":
        write_shards(later, "test", IMAGES[:2], LABELS[:2], class_names=NAMES, shard_rows=2)
    if change == "described":
        describe_dataset(earlier, None)
    describe_dataset(later, earlier)
    assert (later / FILE).exists()
    if change == "described":
        assert (later / FILE).read_bytes() == (earlier / FILE).read_bytes()


def test_it_needs_no_torch():
    program = "import sys, tasks.ingest.described; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
