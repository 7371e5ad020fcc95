"""Whether a champion can be measured beside a candidate: versions of a real registry (SQLite), real checkpoints."""

import json
from dataclasses import replace

import pytest
import torch

import flows.register as flow
from gan.configuration.config import Config, DataConfig, NetworkConfig
from gan.configuration.presets import debug
from gan.configuration.provenance import Configuration
from gan.generation.export import SeededGenerator
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from gan.training.checkpoint import save_checkpoint
from gan.training.header import Header
from tasks.champion.changing import Wish, promote_whatever
from tasks.evaluate.record import Measured
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, client, run
from tasks.tracking.comparable import Size, why_not_comparable
from tasks.tracking.registry import register_version
from tasks.tracking.version_tags import MOST_CHARACTERS, replace_tags, version_tags
from tasks.tracking.versions import find_model

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
NAMES = ("a", "b", "c")
PROTOCOL = {"reference_split": "train", "resize": "tf1", "network": "n", "network_sha256": "s", "precision": "fp32"}


def network(resolution):
    widths = (8,) * (resolution // 8)
    return NetworkConfig(widths=widths, latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)


@pytest.fixture(scope="module")
def champion(settings):
    """A generator of 8x8 px in colour, in use; its tags say nothing of its size, as those of older versions."""
    generator = SeededGenerator(build_generator(network(8), channels=3, num_classes=3))
    tags = {"dataset_md5": "0" * 32, "class_names": json.dumps(NAMES)}
    with run(settings, TRAINING, "champion", tags) as log:
        model = register_version(settings, log, generator, checkpoint="c", config={}, tags=tags, card="# card")
    promote_whatever(settings, model.version, Wish("for the test", "for the test"))
    return model


@pytest.fixture(scope="module")
def candidate(settings, tmp_path_factory):
    """Keep the checkpoint of a run, and return the run's id."""

    def of(resolution=8, channels=3, class_names=NAMES):
        config = Config(data=DataConfig(resolution=resolution), network=network(resolution))
        folder = tmp_path_factory.mktemp("run") / "checkpoint"
        header = Header(config.model_dump(mode="json"), "h", "1" * 32, channels, len(class_names), class_names)
        folder.mkdir()
        save_checkpoint(folder, header, {"G_ema": {"weight": torch.zeros(1)}})
        with run(settings, TRAINING, "candidate", {"dataset_md5": "1" * 32}) as log:
            log.client.log_artifacts(log.run_id, str(folder), "checkpoint")
            return log.run_id

    return of


def test_a_version_says_how_large_its_images_are_by_its_model_or_its_tags(settings, champion, candidate):
    for tags in ({}, {"resolution": "high"}, Size(8, 3).tags()):
        for key, value in tags.items():
            client(settings).set_model_version_tag("gan-generator", str(champion.version), key, value)
        assert why_not_comparable(settings, champion, candidate()) is None
        larger, grey = (
            why_not_comparable(settings, champion, candidate(**other))
            for other in ({"resolution": 16}, {"channels": 1})
        )
        assert larger == "makes images of 8x8 px in colour, and the candidate makes 16x16 px in colour"
        assert grey == "makes images of 8x8 px in colour, and the candidate makes 8x8 px in grey"
        foreign = why_not_comparable(settings, champion, candidate(class_names=("a", "b", "d")))
        assert foreign == "draws other classes than the dataset has now"


def test_a_version_without_classes_draws_any(settings, champion, candidate):
    unconditional = replace(champion, class_names=())
    assert why_not_comparable(settings, unconditional, candidate(class_names=("x", "y"))) is None


def test_a_version_whose_model_is_gone_is_not_compared(settings, champion, candidate):
    version = client(settings).create_model_version("gan-generator", "file:///nowhere/model").version
    why = why_not_comparable(settings, find_model(settings, str(version)), candidate())
    assert why == "does not say how large its images are, and the candidate's are 8x8 px in colour"


def test_tags_of_a_kind_are_replaced_on_a_line_and_no_others(settings, champion):
    before = version_tags(settings, champion)
    replace_tags(settings, champion, "gate.", {"kid1k": "passed", "recall1k": "refused"})
    replace_tags(settings, champion, "gate.", {"kid1k": "a\n\u202e" + "x" * 1000})
    found = version_tags(settings, champion)
    told = found.pop("gate.kid1k")
    assert found == before
    assert told.startswith("a\\n\\u202ex")
    assert len(told) == MOST_CHARACTERS


def test_a_champion_of_another_size_is_neither_measured_nor_the_end_of_the_register(
    settings, champion, candidate, monkeypatch
):
    monkeypatch.setattr(flow, "_asked", lambda question: question())
    monkeypatch.setattr(flow, "evaluate_generator", lambda *_: pytest.fail("its images do not fit the dataset"))
    protocol = Protocol.model_validate(
        PROTOCOL | {"dataset_md5": "1" * 32, "seed": 0, "num_generated": 64, "num_reference": 64, "num_holdout": 30}
    )
    scores = {"kid64": Metric(value=0.1), "coverage64": Metric(value=0.9, low=0.8, high=1.0)}
    scores["copies64"], baseline = Metric(value=0.0, low=0.0, high=0.04), {"copies30": Metric(value=0.0)}
    evaluation = Evaluation(protocol=protocol, metrics=scores, baseline=baseline)
    measured = Measured(evaluation=evaluation, report="", evaluation_run="")
    configuration = Configuration(origin="preset", name="debug", config=debug())
    rival, verdict = flow._judged(settings, candidate(resolution=16), measured, configuration, "1" * 32)
    assert rival == champion
    assert f"version {champion.version}, makes images of 8x8 px in colour" in verdict.reason
