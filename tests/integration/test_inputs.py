"""What a run was made from, as a real MLflow (SQLite) gives it back."""

import json
from types import SimpleNamespace

import mlflow
import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from tasks.runtime.settings import Settings
from tasks.tracking.client import EVALUATIONS, RELEASES, TRAINING, client, run
from tasks.tracking.inputs import log_dataset, log_model_input, log_scores, version_model_id
from tasks.tracking.registry import register_version

pytestmark = pytest.mark.integration
MD5, DIGEST = "0123456789abcdef" * 2, "fedcba9876543210" * 4


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)


@pytest.fixture(scope="module")
def version(settings):
    network = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
    generator = SeededGenerator(build_generator(network, channels=3, num_classes=0).requires_grad_(False))
    torch.manual_seed(0)
    with run(settings, TRAINING, "small", {"dataset_md5": MD5}) as log:
        log_dataset(log, MD5, "train", "training")
        log_dataset(log, MD5, "train", "training")  # as a retry would
        return register_version(settings, log, generator, checkpoint="c", config={}, tags={"dataset_md5": MD5}, card="")


def inputs(settings, run_id):
    return client(settings).get_run(run_id).inputs


def test_a_training_has_its_dataset_and_split_as_an_input(settings, version):
    (given,) = inputs(settings, version.run_id).dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("dataset", MD5)
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training", "split": "train"}
    assert json.loads(given.dataset.source)["tags"]["dvc_md5"] == MD5
    mlflow.data.get_source(given.dataset)  # MLflow knows this sort of source


def test_scores_are_those_of_a_model_on_a_dataset(settings, version):
    model_id = version_model_id(settings, version.version)
    with run(settings, EVALUATIONS, "version 1", {}) as log:
        log_dataset(log, MD5, "train", "evaluation")
        log_model_input(log, model_id)
        log_scores(log, {"kid1k": 0.25, "fid1k": 7.5}, 2000, dataset_md5=MD5, model_id=model_id)
    assert client(settings).get_run(log.run_id).data.metrics == {"kid1k": 0.25, "fid1k": 7.5}
    assert [each.model_id for each in inputs(settings, log.run_id).model_inputs] == [model_id]
    found = {metric.key: metric for metric in client(settings).get_logged_model(model_id).metrics}
    assert (found["kid1k"].value, found["kid1k"].step, found["kid1k"].run_id) == (0.25, 2000, log.run_id)
    assert (found["kid1k"].dataset_name, found["kid1k"].dataset_digest) == ("dataset", MD5)


def test_a_release_has_its_model_as_an_input(settings, version):
    with run(settings, RELEASES, "r", {}) as log:
        log_model_input(log, version_model_id(settings, version.version))
        log_model_input(log, None)
    (given,) = inputs(settings, log.run_id).model_inputs
    assert client(settings).get_logged_model(given.model_id).source_run_id == version.run_id


@pytest.mark.parametrize("source", ["file:///nowhere/model", f"models:/m-{'0' * 32}", "models:/m-'"])
def test_a_version_of_no_logged_model_has_none(settings, version, source, monkeypatch):
    monkeypatch.setattr(
        mlflow.MlflowClient, "get_model_version", lambda self, name, number: SimpleNamespace(source=source)
    )
    assert version_model_id(settings, 7) is None


def test_other_images_and_a_generator_that_is_no_model_are_taken_as_they_are(settings):
    with run(settings, EVALUATIONS, "run", {}) as log:
        log_dataset(log, DIGEST, "all", "evaluation")
        log_scores(log, {"kid1k": 0.5}, 0, dataset_md5=DIGEST, model_id=None)
    (given,) = inputs(settings, log.run_id).dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("images", DIGEST[:36])
    assert json.loads(given.dataset.source)["tags"]["digest"] == DIGEST
    assert client(settings).get_run(log.run_id).data.metrics == {"kid1k": 0.5}
