"""What `croissant.json` says of a dataset of real images."""

import hashlib

import mlcroissant as mlc
import pytest

from gan.data.store.dataset import DatasetInfo
from gan.release.croissant import DescribedFile, croissant, croissant_json
from gan.release.croissant_dataset import dataset_described

INFO = DatasetInfo(
    name="digits",
    source_kind="digits",
    resolution=8,
    channels=1,
    class_names=("0", "1"),
    crop="centre",
    filter="lanczos",
    background="#ffffff",
    class_map={},
    split="hash",
    holdout_fraction=0.1,
    num_train=9,
    num_test=1,
    counts={"train": {"0": 5, "1": 4}, "test": {"0": 1, "1": 0}},
    mean=(0.5,),
    std=(0.2,),
    rejects={"copy": 2, "broken": 1},
)
FROZEN = "149be345b821edbc21fc56596ba3f601534054f944f7c571969763a757b242bf"
FILES = [DescribedFile("train-00000-of-00001.parquet", "0" * 64, 5)]


def test_it_says_what_was_done_to_the_images():
    origin = {"licence": "CC0-1.0", "source_url": "https://example.org", "credit": "Nobody"}
    told = croissant(dataset_described(INFO.model_copy(update=origin), FILES))
    assert told["description"] == "10 grey images of 8x8 pixels of 2 classes, prepared for training."
    assert told["license"] == "https://spdx.org/licenses/CC0-1.0"
    assert told["rai:dataCollectionMissingData"] == "3 files of the source are left out (broken 1, copy 2)."
    assert "resized to 8x8 pixels (lanczos)" in told["rai:dataPreprocessingProtocol"][0]
    assert "a share of 0.1" in told["rai:dataPreprocessingProtocol"][2]
    assert "rai:hasSyntheticData" not in told
    (classes,) = [each for each in told["recordSet"] if each["@id"] == "classes"]
    assert classes["data"][1] == {"classes/label": 1, "classes/name": "1", "classes/train": 4, "classes/test": 0}


def test_the_bytes_are_frozen():
    # In a dataset's folder they are part of its md5: another wording would make new versions of what did not change.
    origin = {"licence": "MIT", "source_url": "https://example.org", "credit": "N"}
    text = croissant_json(dataset_described(INFO.model_copy(update=origin), FILES))
    assert hashlib.sha256(text.encode()).hexdigest() == FROZEN


@pytest.mark.parametrize("changes", [{}, {"holdout_fraction": None, "split": "source", "rejects": {}}])
def test_mlcroissant_finds_no_fault(changes):
    info = INFO.model_copy(update={"description": "Digits.", **changes})
    told = croissant(dataset_described(info, FILES))
    metadata = mlc.Dataset(jsonld=told).metadata
    assert metadata.ctx.issues.errors == set()
    assert metadata.description == "Digits."
    assert metadata.data_collection_type == ["Secondary Data analysis"]
    assert len(metadata.data_preprocessing_protocol) == 3
