"""What runs, versions and checkpoints say of themselves, on a real MLflow store (SQLite)."""

import json

import pytest
import torch

from gan.configuration.config import NetworkConfig
from gan.configuration.presets import preset
from gan.configuration.provenance import Configuration
from gan.errors import CheckpointError, ConfigError, InputError
from gan.generation.export import SeededGenerator
from gan.networks.build import build_generator
from gan.training.checkpoint import save_checkpoint
from gan.training.header import Header
from tasks.evaluate.subjects import find_subject
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, reopen_run, run
from tasks.tracking.own_configuration import fixed_name, own_configuration, run_configuration, version_configuration
from tasks.tracking.registry import register_version

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
OWN = preset("cifar10")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)


@pytest.fixture
def trained(settings):
    with run(settings, TRAINING, "trained", {}) as log:
        log.params(OWN)
    return log


def test_a_run_says_what_it_was_trained_with(settings, trained):
    expected = Configuration(origin="run", name=trained.run_id, config=OWN)
    assert own_configuration(settings, trained.run_id) == run_configuration(settings, trained.run_id) == expected
    assert fixed_name(settings, trained.run_id) == trained.run_id
    other = OWN.model_copy(update={"evaluation": OWN.evaluation.model_copy(update={"num_images": 77})})
    reopen_run(settings, trained.run_id).config(other)
    assert own_configuration(settings, trained.run_id).config == other, "as it was last gone on with"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            json.dumps(OWN.model_dump(mode="json") | {"train": {"snapshot_kimg": 5}}),
            ("unknown configuration key «train.snapshot_kimg»", "name --preset cifar10, as it began,"),
        ),
        (json.dumps({"preset": "of-old", "epochs": 5}), ("name one with --preset, see `ganflow presets`",)),
        (json.dumps({"preset": ["cifar10"], "epochs": 5}), ("name one with --preset, see `ganflow presets`",)),
        ("{", ("name one with --preset, see `ganflow presets`",)),
        ("[]", ("name one with --preset, see `ganflow presets`",)),
    ],
)
def test_one_that_cannot_be_read_says_which_preset_to_name(settings, trained, text, words):
    trained.text(text, "config.json")
    with pytest.raises(ConfigError) as caught:
        own_configuration(settings, trained.run_id)
    for word in (f"the configuration of run {trained.run_id} ", *words):
        assert word in str(caught.value)
    assert str(caught.value).count(": ") < 5


def test_a_run_that_is_not_there(settings):
    with pytest.raises(InputError, match="there is no run 0000"):
        own_configuration(settings, "0" * 32)


def test_a_checkpoint_says_what_its_header_says(settings, tmp_path):
    folder = tmp_path / "best"
    folder.mkdir()
    save_checkpoint(folder, Header(OWN.model_dump(mode="json"), OWN.training_hash(), "d", 1, 2, ("a", "b")), {})
    assert own_configuration(settings, str(folder)) == Configuration(origin="checkpoint", name="best", config=OWN)
    (folder / "tensors.pt").unlink()
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        own_configuration(settings, str(folder))


def test_a_folder_that_is_not_there_is_no_alias(settings, tmp_path):
    for look in (own_configuration, fixed_name, find_subject):
        with pytest.raises(InputError, match="there is no checkpoint folder"):
            look(settings, str(tmp_path / "nowhere"))


def test_a_version_of_before_leaves_it_to_its_run(settings, trained):
    network = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
    torch.manual_seed(0)
    generator = SeededGenerator(build_generator(network, channels=1, num_classes=0))
    model = register_version(
        settings, trained, generator, checkpoint="c", config={}, tags={"dataset_md5": "d"}, card="# card"
    )
    expected = Configuration(origin="version", name=str(model.version), config=OWN)
    assert version_configuration(settings, model) == expected
    (settings.home / "mlartifacts" / TRAINING / trained.run_id / "artifacts" / "config.json").unlink()
    with pytest.raises(ConfigError, match=rf"version {model.version} carries no configuration.*name one with --preset"):
        version_configuration(settings, model)
