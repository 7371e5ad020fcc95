"""How two sets are compared without a word about it."""

import json

import pytest

from gan.configuration.config import EvaluationConfig
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from tasks.evaluate.compare import comparing_config


def release(folder, **protocol):
    facts = {
        "num_generated": 8,
        "num_reference": 8,
        "reference_split": "train",
        "network": "inception",
        "network_sha256": "s",
        "precision": "bf16",
        "dataset_md5": "d",
        "seed": 5,
    }
    quality = Evaluation(protocol=Protocol(**facts | protocol), metrics={"kid8": Metric(value=0.1)})
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"quality": quality.model_dump(mode="json")}))
    return folder


def test_a_release_is_compared_as_its_model_was_measured_the_first_before_the_second(tmp_path):
    one = release(tmp_path / "one", resize="clean", neighbours=3)
    other = release(tmp_path / "other", resize="torch")
    assert comparing_config((one, other)) == EvaluationConfig(resize="clean", neighbours=3)
    assert comparing_config((tmp_path, other)) == EvaluationConfig(resize="torch")
    asked = comparing_config((one, other), resize="tf1", precision="fp32")
    assert asked == EvaluationConfig(resize="tf1", neighbours=3, precision="fp32")


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"quality": 3}', '{"quality": {"protocol": {}}}', "\xff"])
def test_what_is_no_release_says_nothing(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    assert comparing_config((tmp_path, tmp_path / "images.zip")) == EvaluationConfig()


def test_a_manifest_of_many_brackets_says_nothing(tmp_path):
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    assert comparing_config((tmp_path,)) == EvaluationConfig()


@pytest.mark.parametrize("neighbours", [-1, 101, 10**30])
def test_a_release_that_was_measured_as_nothing_can_be_says_nothing(tmp_path, neighbours):
    assert comparing_config((release(tmp_path / "one", resize="clean", neighbours=neighbours),)) == EvaluationConfig()
